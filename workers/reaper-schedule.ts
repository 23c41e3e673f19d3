/** The reaper's schedule. Every worker makes it or brings it up to date when it starts, so every installation has it. */
import { type Client, ScheduleAlreadyRunning, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { reaper, taskQueues } from '../domain/names.ts';

/** Idempotent. A pause that a person has set stays. */
export async function ensureReaper(client: Client, intervalMs: number): Promise<void> {
  const wanted: ScheduleOptions = {
    scheduleId: reaper.scheduleId,
    spec: { intervals: [{ every: intervalMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'reapOrphans',
      workflowId: reaper.workflowId,
      taskQueue: taskQueues.workflows,
      // A look that cannot go on (no worker, or a version that cannot replay it) ends, and the next one begins.
      workflowRunTimeout: '15 minutes',
    },
    // Looks that were missed while Temporal was down are not made up for: the next one sees every orphan.
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
