/**
 * Cancelling a job for certain: by name, so that a job whose id never came back is found too; confirmed by a GET, since
 * DELETE answers 200 even when nothing was cancelled; TERM first, KILL when it does not go. After a submission without an
 * answer the name is looked for until a healthy controller has denied it for a minute: its job may appear that late. The
 * attempt is closed first: what starts of it in spite of all that ends at once.
 *
 * Idempotent: cancelling what is over, or what never was, succeeds. kill -9 at any point: run again from the start.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { isTerminal } from 'slurm-rest-client';
import { attemptDirectory, closeAttempt } from './attempt-closing.ts';
import type { ActivityDeps } from './deps.ts';
import { toFailure } from './failure.ts';
import { findByName, findForCertain } from './finding.ts';
import { mayYetAppear } from './submission.ts';

/** TERM gets this long (the script checkpoints and exits), then KILL. Above Slurm's KillWait default of 30 s. */
const patience = { termMs: 45_000, killMs: 120_000 };

type Deps = Pick<ActivityDeps, 'store' | 'slurm' | 'job'>;

export function createCancelActivities(deps: Deps, { termMs, killMs } = patience) {
  return {
    /** Returns the id of the job that is gone now, or null if there was none under this name. */
    async cancelJob({ name }: { name: string }): Promise<{ jobId: string | null }> {
      try {
        const jobId = (await closedAndAwaited(name)) ? await findForCertain(deps, name) : await findByName(deps, name);
        if (jobId === undefined) return { jobId: null };
        await cancelForCertain(jobId, name);
        return { jobId };
      } catch (error) {
        throw toFailure(error, `cancel job "${name}"`);
      }
    },
  };

  /** Whatever Slurm starts of the attempt from now on ends at once. True if its job may not even have appeared. */
  async function closedAndAwaited(name: string): Promise<boolean> {
    const directory = attemptDirectory(deps.store.root, name);
    if (directory === undefined) return false;
    await closeAttempt(directory);
    return mayYetAppear(directory);
  }

  async function cancelForCertain(jobId: string, name: string): Promise<void> {
    if (await isOver(deps, jobId, name)) return;
    const { outcome, message } = await deps.slurm.cancel(jobId);
    if (await isOverWithin(termMs, deps, jobId, name)) return;
    await deps.slurm.signal(jobId, 'KILL');
    if (await isOverWithin(killMs, deps, jobId, name)) return;
    const said = outcome === 'refused' ? `; Slurm said: ${message}` : '';
    throw ApplicationFailure.retryable(
      `job ${jobId} is still there ${(termMs + killMs) / 1000} s after TERM and KILL${said}`,
      'SlurmUnavailable',
    );
  }
}

async function isOverWithin(
  patienceMs: number,
  deps: Pick<ActivityDeps, 'slurm'>,
  jobId: string,
  name: string,
): Promise<boolean> {
  const until = Date.now() + patienceMs;
  while (Date.now() < until) {
    if (await isOver(deps, jobId, name)) return true;
    Context.current().heartbeat({ state: 'cancelling', jobId });
    await sleep(1000);
  }
  return false;
}

/** A job of another name under the id is somebody else's: the controller lost its state, with our job, and gave the id anew. */
async function isOver(deps: Pick<ActivityDeps, 'slurm'>, jobId: string, name: string): Promise<boolean> {
  const job = await deps.slurm.getJob(jobId);
  return job === undefined || job.name !== name || isTerminal(job);
}
