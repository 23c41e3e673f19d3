/**
 * reapOrphans: one look, which the caretaker takes every few minutes.
 *
 *   1. find our jobs whose run is closed: it was terminated, or reset to where it had none
 *   2. cancel them by their names, side by side: TERM, then KILL, confirmed; each within its time
 *   3. say which are gone and which could not be cancelled
 *
 * A job is found only if its run's workflow is closed, so a slow run loses nothing. A job that does not go (it is COMPLETING on a dead
 * node) does not hold up the others or the next look. That look tries it again.
 */
import { ActivityCancellationType, ActivityFailure, isCancellation, log } from '@temporalio/workflow';
import { activitiesAt } from '../activity-options.ts';

export interface ReapLimits {
  /** For one orphan, with all tries and the wait for a free worker. */
  cancelSeconds: number;
  /** How many at once. Most of the cluster queue's slots are left to submissions. */
  atOnce: number;
  /** No further orphan is begun after this. */
  lookSeconds: number;
}
const usual: ReapLimits = { cancelSeconds: 180, atOnce: 8, lookSeconds: 240 };
/** Shorter than for a run's own cancel, since the next look goes on. */
const patience = { termMs: 45_000, killMs: 30_000, closeMs: 10_000 };

export interface Reaped {
  cancelled: string[];
  /** Jobs that are still there, or were not reached. The next look tries them again. */
  left: { name: string; why: string }[];
}

const activities = activitiesAt('cluster', {
  scheduleToCloseTimeout: '5 minutes',
  heartbeatTimeout: '1 minute',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

export async function reapOrphans(limits: ReapLimits = usual): Promise<Reaped> {
  const names = await activities.findOrphans.executeWithOptions(
    { activityId: 'reap-find', summary: 'jobs whose run is over' },
    [],
  );
  const until = Date.now() + limits.lookSeconds * 1000;
  const waiting = shuffled(names);
  const reaped: Reaped = { cancelled: [], left: [] };
  const lane = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const why = Date.now() < until ? await cancelOrphan(name, limits) : 'not reached in this look';
      if (why === undefined) reaped.cancelled.push(name);
      else reaped.left.push({ name, why });
    }
  };
  await Promise.all(Array.from({ length: limits.atOnce }, lane));
  if (reaped.left.length > 0) log.warn('orphans that could not be cancelled', { left: reaped.left });
  return reaped;
}

/** Returns undefined if the job is gone and its attempt closed, else why not. */
async function cancelOrphan(name: string, { cancelSeconds }: ReapLimits): Promise<string | undefined> {
  try {
    const { notClosed } = await activities.cancelJob.executeWithOptions(
      {
        activityId: `reap-${name}`,
        summary: `cancel orphan ${name}`,
        scheduleToCloseTimeout: `${cancelSeconds} seconds`,
        retry: { initialInterval: '2 seconds', maximumAttempts: 2 },
      },
      [{ name, patience }],
    );
    return notClosed === undefined ? undefined : `cancelled, but Slurm may start it again: ${notClosed}`;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return error.cause?.message ?? error.message;
  }
}

/** In another order each time (by the workflow's own random numbers), so that jobs that do not go are not always first. */
function shuffled(names: readonly string[]): string[] {
  const drawn = names.map((name): [number, string] => [Math.random(), name]);
  return drawn.toSorted(([a], [b]) => a - b).map(([, name]) => name);
}
