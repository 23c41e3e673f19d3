/**
 * reapOrphans: started by a schedule every few minutes (workers/reaper-schedule.ts).
 *
 *   1. find our jobs whose run is closed: it was terminated, or reset to where it had none
 *   2. cancel each by its name, confirmed, TERM then KILL
 *
 * The run's workflow must still be closed for a job to be found, so a run that is merely slow loses nothing.
 */
import { clusterActivities } from './activity-options.ts';

/** Names of the jobs that were cancelled. */
export async function reapOrphans(): Promise<string[]> {
  const names = await clusterActivities.findOrphans.executeWithOptions(
    { activityId: 'reap-find', summary: 'jobs whose run is over' },
    [],
  );
  for (const name of names) {
    await clusterActivities.cancelJob.executeWithOptions(
      { activityId: `reap-${name}`, summary: `cancel orphan ${name}` },
      [{ name }],
    );
  }
  return names;
}
