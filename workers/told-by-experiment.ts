/** Runs of an experiment: it tells of their verdicts together, and that they were cancelled with it. It only reads. */
import { type Client, type WorkflowExecutionInfo, WorkflowNotFoundError } from '@temporalio/client';

type Ended = Pick<WorkflowExecutionInfo, 'parentExecution' | 'status'>;

/** Does the experiment tell of the end of its run? `experiment`: the id that the run's memo names. */
export async function isToldByExperiment(
  client: Client,
  experiment: string,
  { parentExecution: parent, status }: Ended,
): Promise<boolean> {
  if (status.name === 'COMPLETED') return true;
  if (status.name !== 'CANCELLED' || parent?.workflowId !== experiment) return false;
  try {
    const handle = client.workflow.getHandle(experiment, parent.runId ?? undefined);
    const described = await handle.describe();
    // It awaits the ends of its runs, so it may not be over yet.
    const isAsked = described.raw.workflowExtendedInfo?.cancelRequested === true;
    return described.status.name === 'CANCELLED' || (described.status.name === 'RUNNING' && isAsked);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
