/**
 * Cancelling a job for certain. It is looked for by name, so a job whose id never came back is found too. A GET confirms that it is gone,
 * since DELETE answers 200 even when nothing was cancelled. TERM comes first, and KILL if the job does not go. After a submission without
 * an answer the name is looked for until a healthy controller has denied it for a minute: its job may appear that late.
 *
 * The store comes after Slurm: a disk that is full, read-only or gone must not keep a job on its GPUs. When the job is gone, its attempt is
 * closed, so that a job of it that Slurm starts later ends at once. A job that began before that is cancelled too. If the store does not
 * take the claim, it is asked again for a minute, while the name is looked for. Then the caller is told.
 *
 * Idempotent: to cancel what is over, or never was, succeeds. kill -9 at any point: it is run again from the start.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context, log } from '@temporalio/activity';
import { isTerminal, type SlurmJob } from 'slurm-rest-client';
import { attemptDirectory, closeAttempt } from './attempt-closing.ts';
import type { JobDeps } from './deps.ts';
import { passing, toFailure } from '../failure.ts';
import { denialMs, findAlive, findByName, findForCertain } from './finding.ts';
import { mayYetAppear } from './submission.ts';

/**
 * How long each step may take, ms. TERM gets 45 s (the script checkpoints and exits), above Slurm's KillWait default of 30 s;
 * then KILL. A name is denied for a minute before it counts, and a store gets a minute to take the claim.
 */
export const usualPatience = { termMs: 45_000, killMs: 120_000, deniedMs: denialMs, closeMs: 60_000 };
export type CancelPatience = typeof usualPatience;
const lookMs = 1_000;

export interface CancelledJob {
  /** Id of the job that is gone now, or null if there was none under this name. */
  jobId: string | null;
  /** Set if the store did not take the attempt's claim, and says why. A job of it that Slurm starts from now on would run. */
  notClosed?: string;
}

export type CancelDeps = Pick<JobDeps, 'store' | 'slurm' | 'accounting' | 'job'>;

export function createCancelActivities(deps: CancelDeps, defaults: CancelPatience = usualPatience) {
  return {
    /** Returns when no job of this name is left. Fails, and is tried again, while one is left or Slurm does not answer. */
    async cancelJob(input: { name: string; patience?: Partial<CancelPatience> }): Promise<CancelledJob> {
      const { name } = input;
      const patience = { ...defaults, ...input.patience };
      try {
        return await cancelByName(deps, name, patience);
      } catch (error) {
        throw toFailure(error, `cancel job "${name}"`);
      }
    },
  };
}

/** Cancels whatever runs under the name and closes the attempt. Throws SlurmError while Slurm does not answer. */
export async function cancelByName(deps: CancelDeps, name: string, patience: CancelPatience): Promise<CancelledJob> {
  const jobId = await findByNameOrAwaited(deps, name, patience);
  if (jobId !== undefined) await cancelForCertain(deps, jobId, name, patience);
  const notClosed = await closeBehind(deps, name, patience);
  return { jobId: jobId ?? null, ...(notClosed === undefined ? {} : { notClosed }) };
}

/**
 * Slurm is asked first: the store is read only for a job that Slurm does not know. While such a job may yet appear, its attempt is
 * closed before the name is looked for again: a job that comes late ends at once. A store that fails here is asked again afterwards.
 */
async function findByNameOrAwaited(
  deps: CancelDeps,
  name: string,
  patience: CancelPatience,
): Promise<string | undefined> {
  const jobId = await findByName(deps, name);
  if (jobId !== undefined) return jobId;
  const directory = attemptDirectory(deps.store.root, name);
  if (directory === undefined || !(await mayYetAppear(directory))) return undefined;
  await tryToClose(directory, Date.now() + lookMs);
  return findForCertain(deps, name, patience.deniedMs);
}

/**
 * Closes the attempt. What began before its claim stood (a late second job waits for the first one to go) is cancelled.
 * Returns undefined, or why the store did not take the claim.
 */
async function closeBehind(deps: CancelDeps, name: string, patience: CancelPatience): Promise<string | undefined> {
  const directory = attemptDirectory(deps.store.root, name);
  if (directory === undefined) return undefined;
  const until = Date.now() + patience.closeMs;
  for (;;) {
    const { state, why } = await tryToClose(directory, until);
    // Where there is no folder no job could begin.
    if (state === 'closed' || state === 'absent') return undefined;
    for (const { id } of await findAlive(deps, name)) await cancelForCertain(deps, id, name, patience);
    if (state === 'begun') return undefined;
    if (Date.now() >= until) {
      log.warn('a cancelled attempt could not be closed: a job that Slurm starts of it later will run', { name, why });
      return why;
    }
    Context.current().heartbeat({ state: 'closing', note: why });
    await sleep(lookMs);
  }
}

/** A store that does not answer at all (a hard mount whose server is gone) is waited for until `until`, ms epoch, at least for one look. */
async function tryToClose(
  directory: string,
  until: number,
): Promise<{ state: 'closed' | 'begun' | 'absent' | 'open'; why: string }> {
  const timer = new AbortController();
  const silence = sleep(Math.max(lookMs, until - Date.now()), 'silent' as const, { signal: timer.signal }).catch(
    () => 'silent' as const,
  );
  const closing = closeAttempt(directory).catch((error: unknown) => toFailure(error, `close ${directory}`));
  const state = await Promise.race([closing, silence]);
  timer.abort();
  if (state instanceof Error) return { state: 'open', why: state.message };
  return state === 'silent'
    ? { state: 'open', why: `close ${directory}: the store does not answer` }
    : { state, why: '' };
}

async function cancelForCertain(
  deps: CancelDeps,
  jobId: string,
  name: string,
  patience: CancelPatience,
): Promise<void> {
  const { termMs, killMs } = patience;
  if ((await stillThere(deps, jobId, name)) === undefined) return;
  const { outcome, message } = await deps.slurm.cancel(jobId);
  if ((await stillThereAfter(termMs, deps, jobId, name)) === undefined) return;
  await deps.slurm.signal(jobId, 'KILL');
  const left = await stillThereAfter(killMs, deps, jobId, name);
  if (left === undefined) return;
  const said = outcome === 'refused' ? `; Slurm said: ${message}` : '';
  throw passing(
    'SlurmUnavailable',
    `job ${jobId} is still there ${(termMs + killMs) / 1000} s after TERM and KILL (${describe(left)})${said}`,
  );
}

/** E.g. `CANCELLED COMPLETING on a100-0`: that node does not answer, and somebody must set it down. */
function describe({ state, flags, nodes }: SlurmJob): string {
  return [state, ...flags].join(' ') + (nodes.length === 0 ? '' : ` on ${nodes.join(',')}`);
}

async function stillThereAfter(
  patienceMs: number,
  deps: Pick<JobDeps, 'slurm'>,
  jobId: string,
  name: string,
): Promise<SlurmJob | undefined> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const job = await stillThere(deps, jobId, name);
    if (job === undefined || Date.now() >= until) return job;
    Context.current().heartbeat({ state: 'cancelling', jobId });
    await sleep(lookMs);
  }
}

/** A job of another name under the id is somebody else's: the controller lost its state with our job and gave the id again. */
async function stillThere(deps: Pick<JobDeps, 'slurm'>, jobId: string, name: string): Promise<SlurmJob | undefined> {
  const job = await deps.slurm.getJob(jobId);
  return job === undefined || job.name !== name || isTerminal(job) ? undefined : job;
}
