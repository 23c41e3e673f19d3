/**
 * A run that must end although its work is not done: it is paused, so that its jobs save and end, and then cancelled.
 *
 * Safe to repeat after kill -9 at any place: pausing what is paused and cancelling what is over change nothing.
 */
import { Context } from '@temporalio/activity';
import { heartbeating } from '../heartbeating.ts';
import { lookAt } from './open-workflow.ts';

const pauseMs = 2_000;
/** How long jobs may take to save. Then the run is cancelled as it is: it goes on from its last checkpoint. */
const patienceMs = 20 * 60_000;

export interface StopRequest {
  run: string;
  /** For people. */
  by: string;
  note: string;
}

export function createStoppingActivities() {
  return {
    /** Returns when the run is over. `saved`: its jobs had ended by themselves before it was cancelled. */
    async stopRun(request: StopRequest): Promise<{ saved: boolean }> {
      return heartbeating('saving', () => stop(request));
    },
  };
}

async function stop({ run, by, note }: StopRequest): Promise<{ saved: boolean }> {
  const { client } = Context.current();
  const handle = client.workflow.getHandle(run);
  if (!(await lookAt(run)).isOpen) return { saved: true };
  const saved =
    (await askToPause(() => handle.executeUpdate('pause', { args: [{ by, note }] }))) && (await paused(run));
  if ((await lookAt(run)).isOpen) await handle.cancel();
  while ((await lookAt(run)).isOpen) await Context.current().sleep(pauseMs);
  return { saved };
}

/** False: it refused, as a run does that is about to end, or that a release without this update has begun. */
async function askToPause(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    if (error instanceof Error && ['WorkflowUpdateFailedError', 'WorkflowNotFoundError'].includes(error.name))
      return false;
    throw error;
  }
}

async function paused(run: string): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const { isOpen, says } = await lookAt(run);
    if (!isOpen || says === 'paused') return true;
    await Context.current().sleep(pauseMs);
  }
  return false;
}
