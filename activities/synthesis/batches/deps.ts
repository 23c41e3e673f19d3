/** What asking in batches needs, and how it waits for a server that is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplicationFailure } from '@temporalio/activity';
import type { BatchClient, Reply } from '../../teacher/batch-client.ts';
import type { BatchLog } from './log.ts';
import type { FolderLease } from '../../store/folder-lease.ts';
import { longestBackoffMs, maxUnavailable } from '../asking.ts';
import type { SynthesisLog } from '../log.ts';
import type { QuestionSource } from '../question.ts';
import { backoffMs } from '../../backoff.ts';
import { passing } from '../../failure.ts';

export interface BatchPace {
  retryBaseMs: number;
  /** When the server's listings have denied a batch for this long, it is not there. */
  denyMs: number;
}

export interface BatchDeps extends QuestionSource, BatchPace {
  client: BatchClient;
  log: SynthesisLog;
  batches: BatchLog;
  /** It is checked before anything is posted or recorded: a worker that was replaced while it stood still does neither. */
  lease: FolderLease;
  /** Where files of shards are written before they are uploaded. */
  folder: string;
  /** Ends requests and waiting at once. */
  signal: AbortSignal;
}

/** Repeats a request, which must be repeatable, until it is answered. */
export async function untilAnswered<T>(deps: BatchDeps, send: () => Promise<Reply<T>>): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    const reply = await send();
    if (reply.kind === 'ok') return reply.value;
    await waitAway(deps, failures, reply);
  }
}

/** Waits after the `failures`-th failure in a row (from 0). The last failure ends the activity, which is retried as a whole. */
export async function waitAway(
  { retryBaseMs, signal }: BatchDeps,
  failures: number,
  reply: Extract<Reply<never>, { kind: 'unavailable' }>,
): Promise<void> {
  if (failures + 1 >= maxUnavailable) throw teacherAway(reply.detail);
  const pauseMs = reply.retryAfterMs ?? backoffMs(failures, { baseMs: retryBaseMs, longestMs: longestBackoffMs });
  await sleep(pauseMs, undefined, { signal });
}

export function teacherAway(detail: string): ApplicationFailure {
  return passing(
    'TeacherUnavailable',
    `the teacher was away ${maxUnavailable} times in a row, at last: ${detail}; all answers and the ids of all batches are kept`,
  );
}
