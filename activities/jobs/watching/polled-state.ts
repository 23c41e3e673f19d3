/** What a poll says about a job, when to look next, and which row of slurmdbd means an end. Pure. */
import { isTerminal, type SlurmJob } from 'slurm-rest-client';

/** What the newest poll says about one job. */
export type PolledState =
  | { kind: 'known'; job: SlurmJob }
  /**
   * The controller answered and does not know the job. `healthySince`: since when it has said so without a break, ms epoch.
   * `gone`: it is certain that the job is over: slurmctld knows another one under the id, or slurmdbd has the job's end.
   */
  | { kind: 'absent'; healthySince: number; gone: boolean }
  /** No answer, and why: unknown is not failed. */
  | { kind: 'unknown'; why: string };

/** A running job is looked at once in this many intervals. With the default of 45 s a lost node is noticed within 7.5 minutes. */
const slowFactor = 8;

/**
 * Time until the job is looked at again, ms, without jitter. `oneByOne`: how many jobs are asked for one by one (v0.0.38), so that ten
 * pending jobs cost less than two requests a minute there too. 0 if all are asked for at once.
 */
export function pauseMs(state: PolledState, intervalMs: number, oneByOne: number): number {
  if (state.kind !== 'known' || isMoving(state.job)) return intervalMs;
  if (state.job.state === 'RUNNING') return intervalMs * slowFactor;
  return intervalMs * Math.min(slowFactor, Math.max(1, oneByOne * 0.75));
}

/** Is it neither waiting for its turn nor simply running, but completing, requeued, suspended or over? Then news is near. */
function isMoving({ state, flags }: SlurmJob): boolean {
  return flags.length > 0 || (state !== 'PENDING' && state !== 'RUNNING');
}

/**
 * Does this row of slurmdbd end its job for good? PREEMPTED and NODE_FAIL can be the end of an earlier life of a requeued job. A job
 * CANCELLED by nobody was ended only in the database, and its node may still be busy. For these the absence must last.
 */
export function isFinal(row: SlurmJob): boolean {
  if (row.state === 'CANCELLED') return row.cancelledBy !== undefined && isTerminal(row);
  return row.state !== 'PREEMPTED' && row.state !== 'NODE_FAIL' && isTerminal(row);
}
