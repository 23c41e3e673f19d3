/**
 * The pump: brings notices from the outbox to channels, in one worker at a time (a lease on the outbox). Channels do not wait for each other: a receiver
 * that is slow or down holds up its own notices alone. A try that fails is repeated after a pause that doubles up to an hour, for a week. Then it is given up,
 * which the outbox says, and `critic notices retry` begins again.
 *
 * kill -9, or an answer that is lost: the delivery says `sending`, nobody knows whether the receiver has it, and it is sent again under the same id. So a
 * notice is never lost, and a receiver that minds the id never shows it twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Notice } from '../../domain/notices/notice.ts';
import type { ChannelsFile } from '../../input/channels-file.ts';
import { type Send, senderOf } from './channels.ts';
import type { Delivery, Outbox } from './outbox.ts';

export interface PumpTimes {
  /** One try, ms. */
  tryMs: number;
  /** Pause after the first failed try, ms; it doubles up to `mostPauseMs`. */
  pauseMs: number;
  mostPauseMs: number;
  /** A delivery that has failed for so long is given up, ms. */
  giveUpMs: number;
  /** Pause between two looks into the outbox, ms. */
  lookMs: number;
}
const usual: PumpTimes = {
  tryMs: 30_000,
  pauseMs: 15_000,
  mostPauseMs: 3_600_000,
  giveUpMs: 7 * 86_400_000,
  lookMs: 5_000,
};

export interface PumpLog {
  warn: (message: string, details?: Record<string, unknown>) => void;
}

/** A channel that is new gets what happened within this time before it, and nothing older: it would be a flood of old news. */
const newChannelMs = 86_400_000;

export class Pump {
  readonly #outbox: Outbox;
  readonly #file: ChannelsFile;
  readonly #log: PumpLog;
  readonly #times: PumpTimes;
  /** What each channel has delivered or has nothing to do with: not looked at again. */
  readonly #done = new Map<string, Set<string>>();
  /** What was logged as unreadable: once is enough. */
  readonly #unreadable = new Set<string>();
  /** Channels with a try that was told to stop and has not, such as a write to a file server that is gone. */
  readonly #hanging = new Set<string>();

  constructor(outbox: Outbox, file: ChannelsFile, log: PumpLog, times: Partial<PumpTimes> = {}) {
    this.#outbox = outbox;
    this.#file = file;
    this.#log = log;
    this.#times = { ...usual, ...times };
  }

  /** Delivers until the signal. `check` throws when another worker has taken over: then nothing more is sent. */
  async run(signal: AbortSignal, check: () => Promise<void>): Promise<void> {
    const lanes = Object.entries(this.#file.channels).map(async ([name, settings]) => {
      const send = senderOf(settings);
      while (!signal.aborted) {
        await this.pass(name, send, new Date(), signal, check);
        await sleep(this.#times.lookMs, undefined, { signal }).catch(() => undefined); // aborted: the condition sees it
      }
    });
    await Promise.all(lanes);
  }

  /** One look: everything that is due for a channel, oldest first. Returns how many were sent. */
  async pass(
    channel: string,
    send: Send,
    begun: Date,
    signal: AbortSignal,
    check: () => Promise<void> = async () => undefined,
  ): Promise<number> {
    let sent = 0;
    const start = performance.now();
    for (const { notice, delivery } of await this.#due(channel, begun)) {
      if (signal.aborted || this.#hanging.has(channel)) break;
      await check();
      // Tries before this one took their time: a pause begins when its own try ends.
      const clock = () => new Date(begun.getTime() + performance.now() - start);
      if (await this.#deliver(channel, send, notice, delivery, clock, signal)) sent += 1;
    }
    return sent;
  }

  async #due(channel: string, now: Date): Promise<{ notice: Notice; delivery: Delivery }[]> {
    const done = this.#done.get(channel) ?? new Set<string>();
    this.#done.set(channel, done);
    const since = new Date((await this.#outbox.begun(now, channel)).getTime() - newChannelMs).toISOString();
    const due: { notice: Notice; delivery: Delivery }[] = [];
    for (const id of (await this.#outbox.ids()).filter((one) => !done.has(one))) {
      const found = await this.#look(channel, id, now);
      if (found === 'later') continue;
      if (found === 'done' || (found.delivery.tries === 0 && found.notice.at < since)) done.add(id);
      else due.push(found);
    }
    return due.toSorted((a, b) => (a.notice.at < b.notice.at ? -1 : 1));
  }

  async #look(
    channel: string,
    id: string,
    now: Date,
  ): Promise<'done' | 'later' | { notice: Notice; delivery: Delivery }> {
    try {
      const delivery = (await this.#outbox.delivery(id, channel)) ?? {
        state: 'pending',
        tries: 0,
        since: now.toISOString(),
      };
      if (delivery.state === 'sent') return 'done';
      if (delivery.state === 'given-up' || (delivery.next ?? '') > now.toISOString()) return 'later';
      const notice = await this.#outbox.read(id);
      if (notice === undefined) return 'later';
      return goesBy(channel, notice, this.#file) ? { notice, delivery } : 'done';
    } catch (error) {
      // A store that fails for a moment, or a file that somebody mends: it is looked at again.
      const what = `${id}@${channel}`;
      if (!this.#unreadable.has(what)) {
        this.#log.warn('a notice cannot be read and is held up', { id, channel, why: String(error) });
      }
      this.#unreadable.add(what);
      return 'later';
    }
  }

  async #deliver(
    channel: string,
    send: Send,
    notice: Notice,
    before: Delivery,
    clock: () => Date,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { tryMs, pauseMs, mostPauseMs, giveUpMs } = this.#times;
    const tries = before.tries + 1;
    const trying: Delivery = { state: 'sending', tries, since: before.since };
    try {
      await this.#outbox.mark(notice.id, channel, trying);
      await within(tryMs, signal, (own) => this.#tried(channel, send(notice, own)));
      await this.#outbox.mark(notice.id, channel, { ...trying, state: 'sent', sent: new Date().toISOString() });
      return true;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const now = clock();
      const isOver = now.getTime() - new Date(before.since).getTime() >= giveUpMs;
      const next = new Date(now.getTime() + Math.min(mostPauseMs, pauseMs * 2 ** Math.min(before.tries, 20)));
      const failed: Delivery = {
        ...trying,
        state: isOver ? 'given-up' : 'pending',
        next: next.toISOString(),
        error: why,
      };
      this.#log.warn(isOver ? 'a notice is given up' : 'a notice was not delivered, and is tried again', {
        id: notice.id,
        channel,
        tries,
        why,
      });
      // If the store takes nothing (full, read-only), the try stays as it was, and the next look tries again.
      await this.#outbox.mark(notice.id, channel, failed).catch((unmarked: unknown) => {
        this.#log.warn('the outbox takes nothing', { id: notice.id, channel, why: String(unmarked) });
      });
      return false;
    }
  }

  /** The try, which holds its channel until it has really ended. */
  #tried(channel: string, trying: Promise<void>): Promise<void> {
    this.#hanging.add(channel);
    const over = () => void this.#hanging.delete(channel);
    trying.then(over, over);
    return trying;
  }
}

/** Does the notice go by this channel? By the names that it gives; names that no channel has do not count, but a test goes nowhere else. */
export function goesBy(channel: string, notice: Pick<Notice, 'to' | 'kind' | 'also'>, file: ChannelsFile): boolean {
  const { to, kind, also = [] } = notice;
  if (kind === 'test') return (to ?? []).includes(channel);
  const known = (to ?? []).filter((name) => Object.hasOwn(file.channels, name));
  const names = known.length === 0 ? file.default : known;
  const only = file.channels[channel]?.only;
  return names.includes(channel) && (only === undefined || [kind, ...also].some((one) => only.includes(one)));
}

/** Runs `work`, which is told to stop after `ms` or by the signal. One that does not stop is not waited for. */
export async function within(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: AbortSignal.any([timer.signal, signal]) }).then(
    () => {
      throw new Error(`no answer within ${ms / 1000} s`);
    },
    () => {
      throw new Error('the worker ends');
    },
  );
  const own = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  try {
    await Promise.race([work(own), late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}
