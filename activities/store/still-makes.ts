/**
 * Does a run still make an artifact that it has claimed? One that asks the operator about that stage, or is paused, for longer than some minutes does not:
 * another run that needs it goes first. When it goes on, it looks who has the claim (`activities/jobs/attempts.ts`). It only reads.
 */
import { Context } from '@temporalio/activity';
import type { RunView } from '../../domain/jobs/progress.ts';
import type { Stage } from '../../domain/names.ts';
import { runStatus } from '../run-status.ts';

/** A person who is there answers within this time, ms. */
export const patienceMs = 10 * 60_000;
const queryMs = 10_000;

/** A run that this Temporal does not know (it is older than its retention) is over. */
export async function stillMakes(run: string, stage: Stage): Promise<boolean> {
  if ((await runStatus(run)) !== 'open') return false;
  const view = await viewOf(run);
  return view === undefined || !hasRested(view, stage, Date.now());
}

/** Has nothing of the stage been under way for as long as a person may take? Pure. */
export function hasRested({ questions, stages, paused, waitingSince }: RunView, stage: Stage, now: number): boolean {
  const isLong = (since: string | undefined) => since !== undefined && now - Date.parse(since) >= patienceMs;
  if (questions.some((question) => question.stage === stage)) return isLong(waitingSince);
  const status = stages.find((line) => line.stage === stage)?.status;
  return status === 'paused' && isLong(paused?.since);
}

/** Undefined while no worker answers for the run: then nothing is known, and its claim holds. */
async function viewOf(run: string): Promise<RunView | undefined> {
  const { client } = Context.current();
  const handle = client.workflow.getHandle(run);
  return client.withDeadline(Date.now() + queryMs, () => handle.query<RunView>('view')).catch(() => undefined); // whatever it was, it is asked again
}
