/**
 * Runs: start one, watch it, answer it, cancel it. Watching reads the `view` query for stages and the pending activities'
 * heartbeats for live numbers, so that it also works while a worker is away.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type WorkflowHandle, WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  defaultPayloadConverter,
  type Workflow,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowResultType,
} from '@temporalio/common';
import type { RunEstimate } from '../domain/estimate.ts';
import { runId, taskQueues } from '../domain/names.ts';
import type { OperatorAnswer } from '../domain/operator-answer.ts';
import type { RunPlan } from '../domain/plan.ts';
import type { RunView, StageProgress } from '../domain/jobs/progress.ts';
import type { Recipe } from '../domain/recipe.ts';
import type { planRun } from '../workflows/plan-run.ts';
import type { RunResult } from '../workflows/conclude-run.ts';
import type { trainCritic } from '../workflows/train-critic.ts';
import { CliError } from './config.ts';
import type { ProgressByActivity } from './run-view.ts';
import { watchTerminal } from './terminal.ts';

/** Starts a run and returns its id, which is the workflow's. `now` is when it starts. */
export async function startRun(client: Client, recipe: Recipe, now = new Date()): Promise<string> {
  const handle = await withFreeId(recipe, now, async (plan) =>
    client.workflow.start<typeof trainCritic>('trainCritic', {
      workflowId: plan.run,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      taskQueue: taskQueues.workflows,
      args: [plan],
      staticSummary: `critic from recipe ${recipe.name}, seed ${recipe.seed}`,
      typedSearchAttributes: undefined,
      searchAttributes: { CriticRecipe: [recipe.name] },
    }),
  );
  return handle.workflowId;
}

/** Of two that start in one second the later one takes the next second's id: Temporal lets only one have it. */
async function withFreeId<T>(recipe: Recipe, now: Date, start: (plan: RunPlan) => Promise<T>): Promise<T> {
  for (let at = now; ; at = new Date(at.getTime() + 1000)) {
    try {
      return await start({ schema: 1, run: runId(recipe.name, at), recipe });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

/** What a run of this recipe would take. Throws a CliError that says what is wrong with its dataset or base model. */
export async function planRecipe(client: Client, recipe: Recipe): Promise<RunEstimate> {
  const handle = await withFreeId(recipe, new Date(), async (plan) =>
    client.workflow.start<typeof planRun>('planRun', {
      workflowId: `plan-${plan.run}`,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      taskQueue: taskQueues.workflows,
      args: [plan],
      staticSummary: `estimate of recipe ${recipe.name}`,
      searchAttributes: { CriticRecipe: [recipe.name] },
    }),
  );
  return result(handle);
}

export interface WatchOptions {
  out: NodeJS.WriteStream;
  /** Stop watching, with exit code 3, when the run waits for an operator. */
  failOnQuestion: boolean;
  signal: AbortSignal;
}

/** Shows a run until it ends and returns its result. Undefined if the person stopped watching. */
export async function watchRun(client: Client, run: string, options: WatchOptions): Promise<RunResult | undefined> {
  const handle = client.workflow.getHandle<typeof trainCritic>(run);
  const terminal = watchTerminal(options.out);
  try {
    while (!options.signal.aborted) {
      const description = await handle.describe();
      const view = await queryView(handle);
      if (view !== undefined) terminal.show(view, pendingProgress(description.raw.pendingActivities ?? []));
      if (description.status.name !== 'RUNNING') return await result(handle);
      if (options.failOnQuestion && (view?.questions.length ?? 0) > 0)
        throw new CliError(`run ${run} waits for an operator`, 3);
      await sleep(1000, undefined, { signal: options.signal }).catch(() => undefined); // aborted: the loop's condition sees it
    }
    return undefined;
  } finally {
    terminal.stop();
  }
}

/** Sends an operator's answer; the workflow's validator says what is wrong with it. */
export async function answerRun(client: Client, run: string, answer: OperatorAnswer): Promise<string> {
  try {
    return await client.workflow.getHandle(run).executeUpdate<string, [OperatorAnswer]>('answer', { args: [answer] });
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) throw new CliError(error.cause?.message ?? error.message);
    throw error;
  }
}

async function result<T extends Workflow>(handle: WorkflowHandle<T>): Promise<WorkflowResultType<T>> {
  try {
    return await handle.result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    let cause: Error = error.cause ?? error;
    while (cause.cause instanceof Error) cause = cause.cause;
    throw new CliError(`${handle.workflowId} ended: ${cause.message}`);
  }
}

/** The view, or undefined while no worker answers. */
async function queryView(handle: WorkflowHandle<typeof trainCritic>): Promise<RunView | undefined> {
  try {
    return await handle.query<RunView>('view');
  } catch {
    return undefined; // no worker at the moment: the next second tells more
  }
}

interface PendingActivity {
  activityId?: string | null;
  heartbeatDetails?: { payloads?: Parameters<typeof defaultPayloadConverter.fromPayload>[0][] | null } | null;
}

function pendingProgress(pending: readonly PendingActivity[]): ProgressByActivity {
  const entries = pending.flatMap(({ activityId, heartbeatDetails }): [string, StageProgress][] => {
    const payload = heartbeatDetails?.payloads?.[0];
    if (typeof activityId !== 'string' || payload === undefined) return [];
    return [[activityId, defaultPayloadConverter.fromPayload<StageProgress>(payload)]];
  });
  return Object.fromEntries(entries);
}
