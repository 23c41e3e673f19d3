/** What a poll says about a job: what follows from it for the next look, and which row of slurmdbd is an end. Pure. */
import { isTerminal, type SlurmJob } from 'slurm-rest-client';

/** What the newest poll says about one job. */
export type PolledState =
  | { kind: 'known'; job: SlurmJob }
  /**
   * The controller answered and does not know the job. `healthySince`: since when it has said so without a break, ms epoch.
   * `gone`: it is certain that the job is over: slurmctld knows another one under the id, or slurmdbd has the job's end.
   */
  | { kind: 'absent'; healthySince: number; gone: boolean }
  /** No answer since `since` (ms epoch): unknown is not failed. */
  | { kind: 'unknown'; since: number; why: string };

/** A running job is looked at once in this many intervals: with the default of 45 s a lost node is noticed within 7.5 minutes. */
const slowFactor = 8;

/**
 * Until the job is looked at again, ms, without jitter. `oneByOne`: how many jobs are asked for each by itself (v0.0.38), so that
 * ten pending ones cost less than two requests a minute as well; 0 where all are asked for at once.
 */
export function pauseMs(state: PolledState, intervalMs: number, oneByOne: number): number {
  if (state.kind !== 'known' || isMoving(state.job)) return intervalMs;
  if (state.job.state === 'RUNNING') return intervalMs * slowFactor;
  return intervalMs * Math.min(slowFactor, Math.max(1, oneByOne * 0.75));
}

/** Neither waiting for its turn nor simply running: completing, requeued, suspended, over. News is near. */
function isMoving({ state, flags }: SlurmJob): boolean {
  return flags.length > 0 || (state !== 'PENDING' && state !== 'RUNNING');
}

/**
 * Does this row of slurmdbd end its job for good? PREEMPTED and NODE_FAIL can end an earlier life of a requeued one, and a
 * CANCELLED by nobody was ended in the books alone: its node may still be busy. Those wait for the absence to last.
 */
export function isFinal(row: SlurmJob): boolean {
  if (row.state === 'CANCELLED') return row.cancelledBy !== undefined && isTerminal(row);
  return row.state !== 'PREEMPTED' && row.state !== 'NODE_FAIL' && isTerminal(row);
}
