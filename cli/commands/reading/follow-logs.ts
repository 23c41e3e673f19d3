/** `critic logs -f`: logs as they grow, from stage to stage, until the run is over. As `tail -f` does, it says whose lines follow when that changes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { AttemptSummary, LogPage } from '../../../domain/inquiries.ts';
import { findRun, followedTypes } from '../../run-handle.ts';
import { plainLog } from '../../views/log-text.ts';
import { NobodyAnswers } from '../../workers.ts';
import { attemptsIn, goesOn, heading, linesOf, logs, nameOf, pageOf, type WantedLogs } from './attempt-logs.ts';

/** How long a page is waited for where nothing is new, all logs together, seconds. */
const waitSeconds = 10;

export interface Following {
  /** Gets what is new, in whole lines. */
  write: (text: string) => void;
  /** Is told what is waited for. */
  note: (sentence: string) => void;
  /** Between two looks, ms. */
  pauseMs?: number;
}

/** Of one stage if one is wanted, else of all that work from now on. */
export async function followLogs(client: Client, wanted: WantedLogs, to: Following): Promise<void> {
  const { write, pauseMs = 3000 } = to;
  if (!(await hasBegun(client, wanted, to))) return;
  const begun = await logs(client, { ...wanted, all: false });
  for (const one of begun) write(`${linesOf(one).join('\n')}\n`);
  const stage = wanted.stage ?? (wanted.attempt === undefined ? undefined : begun.at(-1)?.stage);
  const reader = new Reader(client, wanted, write, begun.at(-1));
  for (const one of await attemptsIn(client, wanted.run, undefined)) reader.passOver(one);
  // A log's last line may not have ended: what follows it begins a new one here.
  for (const one of begun) reader.from(one, one.next);
  let isSaid = false;
  for (let isOpen = true, more = true; isOpen || more;) {
    try {
      isOpen = await goesOn(client, wanted.run);
      const all = await attemptsIn(client, wanted.run, stage);
      more = await reader.look(
        all.filter(({ attempt }) => wanted.attempt === undefined || attempt === wanted.attempt),
        isOpen,
      );
      isSaid = false;
    } catch (error) {
      // What was written is known, so nothing is written twice. A run that is over will not tell more by waiting here.
      if (!(error instanceof NobodyAnswers) || !isOpen) throw error;
      if (!isSaid) to.note('no worker answers: the logs go on here once one does');
      isSaid = true;
    }
    if (isOpen) await sleep(pauseMs);
  }
}

/** Waits for the first job of a run that goes on. False: it is over without one, and then `logs` says so. */
async function hasBegun(client: Client, wanted: WantedLogs, { note, pauseMs = 3000 }: Following): Promise<boolean> {
  const { run, stage } = wanted;
  for (let isSaid = false; (await attemptsIn(client, run, stage)).length === 0; isSaid = true) {
    const { isOpen } = await findRun(client, run, followedTypes); // a run that nobody knows is told
    if (!isOpen) {
      await logs(client, wanted);
      return false;
    }
    if (!isSaid) note(`${stage === undefined ? 'no job' : `no job of stage ${stage}`} has begun: waiting …`);
    await sleep(pauseMs);
  }
  return true;
}

/** Knows of each attempt how far its log was read, and whose lines were written last. */
class Reader {
  readonly #client: Client;
  readonly #run: string;
  readonly #write: (text: string) => void;
  readonly #next = new Map<string, number>();
  /** Attempts that have ended and were read to their end. */
  readonly #done = new Set<string>();
  #last: string | undefined;

  constructor(client: Client, { run }: WantedLogs, write: (text: string) => void, last: AttemptSummary | undefined) {
    this.#client = client;
    this.#run = run;
    this.#write = write;
    this.#last = last === undefined ? undefined : nameOf(last);
  }

  /** What there is of it when following begins is not written. */
  passOver(one: AttemptSummary): void {
    this.#next.set(nameOf(one), one.logBytes);
    if (one.exitCode !== null) this.#done.add(nameOf(one));
  }

  from(one: AttemptSummary, next: number): void {
    this.#next.set(nameOf(one), next);
    this.#done.delete(nameOf(one));
  }

  /** Reads one page of each. Is there more? */
  async look(attempts: readonly AttemptSummary[], isOpen: boolean): Promise<boolean> {
    const open = attempts.filter((one) => !this.#done.has(nameOf(one)));
    const isNewest = ({ stage, attempt }: AttemptSummary) =>
      attempts.every((other) => other.stage !== stage || other.attempt <= attempt);
    const growing = open.filter((one) => one.exitCode === null && isNewest(one)).length;
    let more = false;
    for (const one of open) {
      const grows = isOpen && one.exitCode === null && isNewest(one);
      const seconds = grows ? Math.floor(waitSeconds / growing) : 0;
      const from = this.#next.get(nameOf(one)) ?? 0;
      const read = await pageOf(this.#client, this.#run, one, from, { whole: !grows, waitSeconds: seconds });
      this.#show(one, read);
      const isRead = read.text === '' || read.next >= read.size;
      if (isRead && !grows) this.#done.add(nameOf(one));
      more ||= !isRead;
    }
    return more;
  }

  #show(one: AttemptSummary, { text, next }: LogPage): void {
    const name = nameOf(one);
    if (text !== '' || !this.#next.has(name)) {
      if (this.#last !== name) this.#write(`${heading(one)}\n`);
      this.#last = name;
    }
    if (text !== '') this.#write(`${plainLog(text).replace(/\n$/, '')}\n`);
    this.#next.set(name, text === '' ? (this.#next.get(name) ?? 0) : next);
  }
}
