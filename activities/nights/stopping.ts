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
/** How long it is waited for the run to accept, before it is looked whether its code can go on at all. */
const acceptMs = 60_000;

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

async function stop(request: StopRequest): Promise<{ saved: boolean }> {
  const { run } = request;
  if (!(await lookAt(run)).isOpen) return { saved: true };
  const saved = (await askToPause(request)) && (await paused(run));
  if ((await lookAt(run)).isOpen) await Context.current().client.workflow.getHandle(run).cancel();
  while ((await lookAt(run)).isOpen) await Context.current().sleep(pauseMs);
  return { saved };
}

/**
 * False: it refused, as a run does that is about to end, or that a release without this update has begun; or its code cannot go on, so that it would
 * never answer. Then its cancel waits with it for a worker that can replay it.
 */
async function askToPause({ run, by, note }: StopRequest): Promise<boolean> {
  const { client } = Context.current();
  const ask = () => client.workflow.getHandle(run).executeUpdate('pause', { args: [{ by, note }] });
  for (;;) {
    try {
      await client.withDeadline(Date.now() + acceptMs, ask);
      return true;
    } catch (error) {
      const name = error instanceof Error ? error.name : '';
      if (['WorkflowUpdateFailedError', 'WorkflowNotFoundError'].includes(name)) return false;
      if (name !== 'WorkflowUpdateRPCTimeoutOrCancelledError') throw error;
      Context.current().cancellationSignal.throwIfAborted();
      if ((await lookAt(run)).isStuck) return false;
    }
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
