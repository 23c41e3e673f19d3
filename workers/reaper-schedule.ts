/** The reaper's schedule: made, or brought up to date, whenever a worker starts, so that no installation is without it. */
import { type Client, ScheduleAlreadyRunning, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { reaper, taskQueues } from '../domain/names.ts';

/** Idempotent; a pause set by a person stays. */
export async function ensureReaper(client: Client, intervalMs: number): Promise<void> {
  const wanted: ScheduleOptions = {
    scheduleId: reaper.scheduleId,
    spec: { intervals: [{ every: intervalMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'reapOrphans',
      workflowId: reaper.workflowId,
      taskQueue: taskQueues.workflows,
      // A look that cannot go on (no worker, a version that cannot replay it) makes room for the next one.
      workflowRunTimeout: '15 minutes',
    },
    // What was missed while Temporal was down is of no use: the next one sees every orphan.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
  };
  try {
    await client.schedule.create(wanted);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { scheduleId: _, ...rest } = wanted;
    await client.schedule.getHandle(reaper.scheduleId).update((standing) => ({ ...rest, state: standing.state }));
  }
}
