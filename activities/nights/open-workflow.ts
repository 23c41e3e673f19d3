/** What the activities of nights know of workflows: asked of Temporal itself, whose answer is never behind. */
import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';
import { hopelessTries } from '../../domain/notices/run-notices.ts';

export interface Looked {
  isKnown: boolean;
  isOpen: boolean;
  /** Its code fails again and again. */
  isStuck: boolean;
  /** What its run says of itself (`CriticStatus`). */
  says: string | null;
}

export async function lookAt(workflow: string): Promise<Looked> {
  const { client } = Context.current();
  try {
    const { status, searchAttributes, raw } = await client.workflow.getHandle(workflow).describe();
    const says = searchAttributes['CriticStatus']?.[0];
    const isOpen = status.name === 'RUNNING' || status.name === 'PAUSED';
    const isStuck = (raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries;
    return { isKnown: true, isOpen, isStuck, says: typeof says === 'string' ? says : null };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { isKnown: false, isOpen: false, isStuck: false, says: null };
    throw error;
  }
}
