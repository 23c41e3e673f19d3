/** Notices as the outbox has them, and what an operator may do about them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { cut, describeFault } from '../../domain/errors.ts';
import type { KeptNotice } from '../../domain/inquiries.ts';
import { isSafeName } from '../../domain/names.ts';
import { namesIn } from '../../files/fresh-look.ts';
import type { ChannelsFile } from '../../input/channels-file.ts';
import { isFailure, refuse } from '../failure.ts';
import { type Delivery, Outbox } from '../notify/outbox.ts';
import type { StoreDeps } from '../store/deps.ts';
import type { Answerer } from './answerer.ts';

const noticeId = z.string().refine((id) => isSafeName(id, 200), 'expected the id of a notice');
/** A pump looks every five seconds, and a try takes at most thirty. */
const testMs = 40_000;

export function answerNotices({ store }: StoreDeps): Answerer<'notices'> {
  const outbox = new Outbox(store.root);
  return {
    input: z.strictObject({ open: z.boolean(), limit: z.int().min(1).max(100) }),
    answer: async ({ open, limit }) => {
      const kept: KeptNotice[] = [];
      const unreadable: string[] = [];
      const names = groupedBy(await namesIn(outbox.folder));
      for (const id of await outbox.ids()) {
        const read = await readWhole(outbox, id, names.get(id) ?? new Set());
        if (read === undefined) unreadable.push(id);
        if (read?.notice === undefined) continue;
        const { notice, deliveries } = read;
        const states = Object.values(deliveries).map(({ state }) => state);
        if (open && states.length > 0 && states.every((state) => state === 'sent')) continue;
        kept.push({ id, kind: notice.kind, at: notice.at, title: notice.title, deliveries: brief(deliveries) });
      }
      return {
        notices: kept.toSorted((a, b) => (a.at < b.at ? 1 : -1)).slice(0, limit),
        unreadable: unreadable.slice(0, limit),
      };
    },
  };
}

/** A list of many must fit a reply: the whole sentence is in `notice`. */
function brief(deliveries: Record<string, Delivery>): Record<string, Delivery> {
  const short = ({ error, ...rest }: Delivery) => ({
    ...rest,
    ...(error === undefined ? {} : { error: cut(error, 80) }),
  });
  return Object.fromEntries(Object.entries(deliveries).map(([channel, one]) => [channel, short(one)]));
}

/** Names of deliveries by the notice that they are of: to look through all names for each notice takes too long after a year. */
function groupedBy(names: ReadonlySet<string>): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const name of names) {
    const id = name.split('@', 1)[0] ?? '';
    const group = groups.get(id) ?? new Set<string>();
    groups.set(id, group.add(name));
  }
  return groups;
}

/** Undefined: a file of it is damaged. The others are listed all the same. */
async function readWhole(outbox: Outbox, id: string, names: ReadonlySet<string>) {
  try {
    return { notice: await outbox.read(id), deliveries: await outbox.deliveries(id, names) };
  } catch (error) {
    if (isFailure(error)) return undefined;
    throw error;
  }
}

export function answerNotice({ store }: StoreDeps): Answerer<'notice'> {
  const outbox = new Outbox(store.root);
  return {
    input: z.strictObject({ id: noticeId }),
    answer: async ({ id }) => ({ notice: (await outbox.read(id)) ?? null, deliveries: await outbox.deliveries(id) }),
  };
}

/** Safe to repeat. A pump that tries at this moment overwrites it, and then it was tried. */
export function answerNoticeRetry({ store }: StoreDeps): Answerer<'notice-retry'> {
  const outbox = new Outbox(store.root);
  return {
    input: z.strictObject({ id: noticeId }),
    answer: async ({ id }) => {
      const channels: string[] = [];
      for (const [channel, { state }] of Object.entries(await outbox.deliveries(id))) {
        if (state !== 'given-up' && state !== 'pending') continue;
        await outbox.mark(id, channel, { state: 'pending', tries: 0, since: new Date().toISOString() });
        channels.push(channel);
      }
      return { channels };
    },
  };
}

export function answerNoticeTest({
  store,
  channels,
}: StoreDeps & { channels?: ChannelsFile }): Answerer<'notice-test'> {
  const outbox = new Outbox(store.root);
  return {
    input: z.strictObject({ channel: z.string().regex(/^[a-z0-9-]{1,32}$/, 'expected the name of a channel') }),
    answer: async ({ channel }) => {
      const names = Object.keys(channels?.channels ?? {});
      if (!names.includes(channel)) {
        const expected =
          names.length === 0 ? 'one of CRITIC_CHANNELS_FILE, which names none' : `one of ${names.join(', ')}`;
        throw refuse('ConfigInvalid', describeFault({ field: 'channel', value: channel, expected }));
      }
      const id = `test-${channel}-${randomUUID().slice(0, 8)}`;
      const at = new Date().toISOString();
      const title = `a test of channel ${channel}`;
      await outbox.put({
        id,
        kind: 'test',
        at,
        title,
        text: 'If you read this, it works.',
        commands: [],
        to: [channel],
      });
      for (const until = Date.now() + testMs; Date.now() < until;) {
        const delivery = await outbox.delivery(id, channel);
        if (delivery !== undefined && delivery.state !== 'sending') return { id, delivery };
        await sleep(500);
      }
      return { id, delivery: null };
    },
  };
}
