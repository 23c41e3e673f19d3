/** What the activities of nights know of workflows: asked of Temporal itself, whose answer is never behind. */
import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';

/** Is the workflow open, and what does its run say of itself (`CriticStatus`)? */
export async function lookAt(workflow: string): Promise<{ isKnown: boolean; isOpen: boolean; says: string | null }> {
  const { client } = Context.current();
  try {
    const { status, searchAttributes } = await client.workflow.getHandle(workflow).describe();
    const says = searchAttributes['CriticStatus']?.[0];
    const isOpen = status.name === 'RUNNING' || status.name === 'PAUSED';
    return { isKnown: true, isOpen, says: typeof says === 'string' ? says : null };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { isKnown: false, isOpen: false, says: null };
    throw error;
  }
}
