/** Resets a workflow as the Temporal UI does: to the workflow task that ordered the activity of this id or type. */
import type { Client } from '@temporalio/client';

export async function resetBefore(client: Client, workflowId: string, activity: string): Promise<void> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const ordered = events?.find(({ activityTaskScheduledEventAttributes: one }) =>
    [one?.activityId, one?.activityType?.name].includes(activity),
  );
  const task = ordered?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId;
  if (task === undefined || task === null) throw new Error(`activity ${activity} was not ordered`);
  await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId: (await client.workflow.getHandle(workflowId).describe()).runId },
    reason: 'a test',
    workflowTaskFinishEventId: task,
    requestId: `${workflowId}-${activity}`,
  });
}
