/** Executions that somebody has reset, e.g. in the Temporal UI: a new one goes on under the same id, so their own end is no news. It only reads. */
import { type Client, type WorkflowExecutionInfo, WorkflowNotFoundError } from '@temporalio/client';

/** Has another execution taken the place of this one, which has ended? */
export async function wasReset(
  client: Client,
  { workflowId, runId }: Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'>,
): Promise<boolean> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    return (raw.workflowExtendedInfo?.resetRunId ?? '') !== '';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
