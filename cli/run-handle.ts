/**
 * What Temporal knows of a run: its description, the `view` query, the heartbeats of pending activities, and its result. Heartbeats come with
 * the description, so live numbers are seen even while a worker is away.
 */
import {
  type Client,
  QueryNotRegisteredError,
  ServiceError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import {
  CancelledFailure,
  defaultPayloadConverter,
  TerminatedFailure,
  type Workflow,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import type * as z from 'zod';
import { type Cluster, clusterOfQueue } from '../domain/clusters.ts';
import { cut, describeIssue, innermost } from '../domain/errors.ts';
import { pendingStates, type RunView, type StageProgress } from '../domain/jobs/progress.ts';
import { isStage, runId, type Stage } from '../domain/names.ts';
import { hopelessTries } from '../domain/notices/run-notices.ts';
import type { RunPlan } from '../domain/plan.ts';
import type { Recipe } from '../domain/recipe.ts';
import type { scorePairs } from '../workflows/score-pairs.ts';
import type { trainCritic } from '../workflows/train-critic.ts';
import { CliError } from './cli-error.ts';
import type { ProgressByActivity } from './views/run-view.ts';

/** The workflow type of a run: its wire name. */
export const runType = 'trainCritic' satisfies (typeof trainCritic)['name'];
/** That of a scoring, which shows itself as a run does. */
export const scoringType = 'scorePairs' satisfies (typeof scorePairs)['name'];
/** Types of what may be watched, answered, paused and cancelled. */
export const followedTypes = [runType, scoringType] as const;

/** A run as Temporal has it now. */
export interface SeenRun {
  handle: WorkflowHandle<typeof trainCritic>;
  /** It scores pairs and has no verdict. */
  isScoring: boolean;
  /** Whose workers have it. */
  cluster: Cluster;
  /** Temporal's status: RUNNING, COMPLETED, FAILED, … */
  status: string;
  /** Does it go on? True for a paused run too. */
  isOpen: boolean;
  /** Its workflow code fails again and again. What it says of itself is old then, and it says `running`. */
  isStuck: boolean;
  /** Somebody has cancelled it, and it is not over yet. */
  isCancelling: boolean;
  /** The run that it goes on from, as its memo says. */
  resumes: string | undefined;
  /** Stages whose activities are under way. Empty too for a run that waits for a person, or is over. */
  working: Stage[];
  progress: ProgressByActivity;
}

/** This Temporal has no run of the id: it never had, or has forgotten it. */
export class UnknownRun extends CliError {}

/** What an id of these types is called, and what prints it. */
function nounOf(types: readonly string[]): [noun: string, printers: string] {
  if (!types.includes(scoringType)) return ['run', '"critic run"'];
  return types.includes(runType)
    ? ['run', '"critic run" or "critic score"']
    : ['scoring', '"critic score" or "critic evaluate"'];
}

/** Looks a run up. Throws UnknownRun for an id that the server does not know, and a CliError for a workflow that is of no such type. */
export async function findRun(client: Client, run: string, types: readonly string[] = [runType]): Promise<SeenRun> {
  const handle = client.workflow.getHandle<typeof trainCritic>(run);
  const [noun, printers] = nounOf(types);
  try {
    const { type, status, raw, memo, taskQueue } = await handle.describe();
    if (!types.includes(type))
      throw new CliError(`${noun} "${cut(run)}": expected a ${noun}, got a workflow of type ${type}`);
    const isOpen = status.name === 'RUNNING' || status.name === 'PAUSED';
    const isStuck = isOpen && (raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries;
    const isCancelling = isOpen && raw.workflowExtendedInfo?.cancelRequested === true;
    const resumes = typeof memo?.['resumes'] === 'string' ? memo['resumes'] : undefined;
    const progress = pendingProgress(raw.pendingActivities ?? []);
    const working = stagesOf(raw.pendingActivities ?? []);
    const cluster = clusterOfQueue(taskQueue);
    const isScoring = type === scoringType;
    return {
      handle,
      isScoring,
      cluster,
      status: status.name,
      isOpen,
      isStuck,
      isCancelling,
      resumes,
      working,
      progress,
    };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const where = `namespace "${client.options.namespace}" of this Temporal server`;
    throw new UnknownRun(
      `${noun} "${cut(run)}": expected the id of a ${noun}, as ${printers} prints it; ${where} has no such ${noun}`,
    );
  }
}

/** A worker that must replay a long history first answers within a few seconds. Without a worker the server waits much longer. */
const queryMs = 10_000;

/** The run's view, or undefined while no worker answers. */
export async function queryView(
  client: Client,
  handle: WorkflowHandle<typeof trainCritic>,
): Promise<RunView | undefined> {
  try {
    return await client.withDeadline(Date.now() + queryMs, () => handle.query<RunView>('view'));
  } catch (error) {
    // There is no worker at the moment, or it has not begun the run. The next look tells more.
    if (error instanceof ServiceError || error instanceof QueryNotRegisteredError) return undefined;
    throw error;
  }
}

/** The same with what Temporal itself knows: a run that an earlier release began does not say these. */
export async function viewOf(client: Client, { handle, isCancelling, resumes }: SeenRun): Promise<RunView | undefined> {
  const view = await queryView(client, handle);
  if (view === undefined) return undefined;
  return { ...view, ...(isCancelling ? { cancelling: true } : {}), ...(resumes === undefined ? {} : { resumes }) };
}

/**
 * The result of a workflow that ends well. For any other end it throws a CliError with the failure's innermost sentence. It also throws for a
 * result that does not fit the schema, since another release wrote it.
 */
export async function resultOf<T extends Workflow, Result>(
  handle: WorkflowHandle<T>,
  schema: z.ZodType<Result>,
): Promise<Result> {
  const { data, error } = schema.safeParse(await rawResult(handle), { reportInput: true });
  if (data !== undefined) return data;
  const [issue] = error?.issues ?? [];
  const fault = issue === undefined ? '' : `: ${['result', ...issue.path].join('.')}: ${describeIssue(issue)}`;
  throw new CliError(`${handle.workflowId} has a result that this release cannot read${fault}`);
}

async function rawResult<T extends Workflow>(handle: WorkflowHandle<T>): Promise<unknown> {
  try {
    return await handle.result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const cause = innermost(error);
    throw new CliError(`${handle.workflowId} ${endOf(error.cause)}${cause.message}`);
  }
}

/** How a workflow without a result ended, before the sentence that says why. */
function endOf(cause: Error | undefined): string {
  if (cause instanceof CancelledFailure) return 'was cancelled: ';
  if (cause instanceof TerminatedFailure) return 'was terminated: ';
  return 'failed: ';
}

/** Starts a run with the id of this second. If two start in one second, Temporal gives the id to one, and the other takes the next second's. */
export async function withFreeId<T>(recipe: Recipe, now: Date, start: (plan: RunPlan) => Promise<T>): Promise<T> {
  for (let at = now; ; at = new Date(at.getTime() + 1000)) {
    try {
      return await start({ schema: 1, run: runId(recipe.name, at), recipe });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

/** What may be done with a run that has ended, after a sentence that says so. */
export function afterEnd(run: string, status: string, isScoring = false): string {
  return status === 'COMPLETED' ? `; see "critic status ${run}"` : `; it can be resumed: ${resuming(run, isScoring)}`;
}

/** The command that goes on where a run, or a scoring, ended early. */
export function resuming(run: string, isScoring: boolean): string {
  return `npm run critic -- ${isScoring ? 'score --resume' : 'resume'} ${run}`;
}

interface PendingActivity {
  activityId?: string | null;
  state?: number | null;
  lastFailure?: { message?: string | null } | null;
  heartbeatDetails?: { payloads?: Parameters<typeof defaultPayloadConverter.fromPayload>[0][] | null } | null;
}

/** Ids of activities begin with the name of a stage, but for some of the beginning (`run-prepare`). */
function stagesOf(pending: readonly PendingActivity[]): Stage[] {
  const names = pending.map(({ activityId }) => /^(.+)-a\d+-[a-z-]+$/.exec(activityId ?? '')?.[1] ?? '');
  return [...new Set(names.filter((name) => isStage(name)))];
}

function pendingProgress(pending: readonly PendingActivity[]): ProgressByActivity {
  const entries = pending.flatMap((activity): [string, StageProgress][] => {
    const { activityId, heartbeatDetails, state, lastFailure } = activity;
    const payload = heartbeatDetails?.payloads?.[0];
    const told = payload === undefined ? undefined : defaultPayloadConverter.fromPayload<StageProgress>(payload);
    // Between two tries. A try that goes on keeps the failure of the one before, which is over.
    const trouble = state === pendingStates.waitsForATry ? (lastFailure?.message ?? undefined) : undefined;
    if (typeof activityId !== 'string' || (told === undefined && trouble === undefined)) return [];
    return [[activityId, { state: 'waiting', ...told, ...(trouble === undefined ? {} : { trouble }) }]];
  });
  return Object.fromEntries(entries);
}
