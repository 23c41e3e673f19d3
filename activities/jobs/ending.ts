/**
 * Ending a job with a checkpoint: it is asked for one (USR2) and given time, and then it is cancelled for certain. A job that has not begun, or that
 * is suspended, has nothing to save and is cancelled at once. EasyR1 and verl cannot be asked: they end, and what they saved last counts.
 *
 * Side effects: signals, and what a cancel does (cancelling.ts). All may be repeated: after a kill -9 at any point the next try asks again and waits
 * anew. A lost signal is sent again until the job has made `checkpoint-requested`. If the store does not show that file, the job is asked more
 * often than need be, which changes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { SlurmJob } from 'slurm-rest-client';
import { namesIn } from '../../files/fresh-look.ts';
import { systemCode, toFailure } from '../failure.ts';
import { attemptDirectory } from './attempt-closing.ts';
import { type CancelDeps, cancelByName, type CancelledJob, usualPatience } from './cancelling.ts';
import { findAlive } from './finding.ts';

/** Made by the job script when it is asked (infra/sbatch/job.sh). */
const requested = 'checkpoint-requested';
const lookMs = 2_000;
const askAgainMs = 15_000;

export interface EndJobInput {
  name: string;
  /** How long a running job may take to save, seconds. */
  seconds: number;
}

export function createEndingActivities(deps: CancelDeps) {
  return {
    /** Returns when no job of this name is left. Fails, and is tried again, while one is left or Slurm does not answer. */
    endJob: (input: EndJobInput): Promise<CancelledJob> => endJob(deps, input),
  };
}

export async function endJob(deps: CancelDeps, { name, seconds }: EndJobInput): Promise<CancelledJob> {
  try {
    await saved(deps, name, seconds);
    return await cancelByName(deps, name, usualPatience);
  } catch (error) {
    throw toFailure(error, `end job "${name}"`);
  }
}

/** Returns when no job of this name can still save, or time is up. */
async function saved(deps: CancelDeps, name: string, seconds: number): Promise<void> {
  const { cancellationSignal } = Context.current();
  const until = Date.now() + seconds * 1000;
  let askedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const working = (await findAlive(deps, name)).filter(isWorking);
    if (working.length === 0 || Date.now() >= until) return;
    if (Date.now() - askedAt >= askAgainMs && !(await hasHeard(deps.store.root, name))) {
      for (const { id } of working.filter(({ state }) => state === 'RUNNING')) await deps.slurm.signal(id, 'USR2');
      askedAt = Date.now();
    }
    Context.current().heartbeat({ state: 'CHECKPOINTING', jobId: working[0]?.id });
    await sleep(lookMs);
    cancellationSignal.throwIfAborted();
  }
}

/** It runs, or what it ran is being cleaned up. */
function isWorking({ state, flags }: SlurmJob): boolean {
  return state === 'RUNNING' || flags.includes('COMPLETING');
}

/** Has the job script taken the request? A store that cannot be read says no. */
async function hasHeard(root: string, name: string): Promise<boolean> {
  const directory = attemptDirectory(root, name);
  if (directory === undefined) return false;
  try {
    return (await namesIn(directory)).has(requested);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
