/** Runs of nights: the night's digest tells how its run ended, so nobody else does, unless no digest comes. It only reads. */
import { type Client, type WorkflowExecutionInfo, WorkflowNotFoundError } from '@temporalio/client';
import { nightScheduleId } from '../domain/names.ts';
import { hopelessTries } from '../domain/notices/run-notices.ts';

/** How long after the run's end its night may take for the digest, ms. Then the end is told without it. */
const digestMs = 3_600_000;
const prefix = nightScheduleId('');

type Ended = Pick<WorkflowExecutionInfo, 'parentExecution' | 'closeTime'>;

/** `later`: it is not known yet. */
export async function isToldByNight(
  client: Client,
  { parentExecution: night, closeTime: ended }: Ended,
  now: Date,
): Promise<'yes' | 'no' | 'later'> {
  if (night?.workflowId?.startsWith(prefix) !== true || ended === undefined) return 'no';
  try {
    const { status, closeTime, raw } = await client.workflow
      .getHandle(night.workflowId, night.runId ?? undefined)
      .describe();
    // Of a run that was reset the night saw the first end alone.
    if (status.name === 'COMPLETED') return closeTime !== undefined && closeTime >= ended ? 'yes' : 'no';
    const isStuck = (raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries;
    const isSoon = now.getTime() - ended.getTime() < digestMs;
    return status.name === 'RUNNING' && !isStuck && isSoon ? 'later' : 'no';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'no';
    throw error;
  }
}
