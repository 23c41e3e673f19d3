/** Does a run go on? Temporal is asked, and nobody else knows. It only reads. */
import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';

/** `unknown`: this Temporal has no such run: it is older than the namespace's retention, or another Temporal's. */
export async function runStatus(run: string): Promise<'open' | 'closed' | 'unknown'> {
  try {
    const { status } = await Context.current().client.workflow.getHandle(run).describe();
    return ['RUNNING', 'PAUSED', 'UNSPECIFIED', 'UNKNOWN'].includes(status.name) ? 'open' : 'closed';
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    return 'unknown';
  }
}
