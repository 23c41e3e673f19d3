/** Experiments as Temporal has them: started, found, and what each says of itself. */
import {
  type Client,
  QueryNotRegisteredError,
  ServiceError,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import * as z from 'zod';
import { type Cluster, clusterOfQueue, queueOf } from '../../../domain/clusters.ts';
import { cut } from '../../../domain/errors.ts';
import {
  type Experiment,
  experimentId,
  type ExperimentView,
  memberEnds,
} from '../../../domain/experiment/experiment.ts';
import { pendingStates } from '../../../domain/jobs/progress.ts';
import { packed } from '../../../domain/experiment/packing.ts';
import { hopelessTries } from '../../../domain/notices/run-notices.ts';
import type { runExperiment } from '../../../workflows/run-experiment.ts';
import { CliError } from '../../cli-error.ts';
import { onCluster, requireServed } from '../../cluster.ts';

/** The workflow type of an experiment: its wire name. */
export const experimentType = 'runExperiment' satisfies (typeof runExperiment)['name'];
export type ExperimentHandle = WorkflowHandle<typeof runExperiment>;

export const memberSchema = z.object({
  arm: z.string(),
  seed: z.number(),
  status: z.enum(['pending', 'running', ...memberEnds]),
  /** null before it begins. */
  run: z.string().nullable(),
  /** MainScore in [−1, 1]; null before the end, and where it is undefined. */
  mainScore: z.number().nullable(),
  /** Why it failed. */
  sentence: z.string().exactOptional(),
});

const viewSchema: z.ZodType<ExperimentView> = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['running', 'reporting', 'done', 'cancelled', 'failed']),
  members: z.array(memberSchema),
});

export const resultSchema = z.object({
  id: z.string(),
  /** Path of `report.html` as the worker sees it. */
  report: z.string(),
  summary: z.string(),
  members: z.array(memberSchema),
});

/** The experiment with the cluster on which its runs are to be. */
export function placed(client: Client, experiment: Experiment): Experiment {
  const members = experiment.members.map((member) => ({ ...member, recipe: onCluster(client, member.recipe) }));
  return { ...experiment, members };
}

/** Starts an experiment where its members are placed, under the id of this second, or of the next free one, and returns the id. */
export async function startExperiment(client: Client, experiment: Experiment, now = new Date()): Promise<string> {
  const cluster = experiment.members[0]?.recipe.cluster;
  await requireServed(client, cluster);
  for (let at = now; ; at = new Date(at.getTime() + 1000)) {
    const workflowId = experimentId(experiment.name, at);
    try {
      await client.workflow.start<typeof runExperiment>(experimentType, {
        workflowId,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        taskQueue: queueOf('workflows', cluster),
        args: [packed(experiment)],
        staticSummary: cut(experiment.question),
        searchAttributes: experiment.owner === undefined ? {} : { CriticOwner: [experiment.owner] },
      });
      return workflowId;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

export interface SeenExperiment {
  handle: ExperimentHandle;
  /** Whose workers have it. */
  cluster: Cluster;
  /** Temporal's status: RUNNING, COMPLETED, FAILED, … */
  status: string;
  isOpen: boolean;
  /** What keeps it from going on, as Temporal knows it; undefined: nothing that Temporal sees. */
  trouble: string | undefined;
}

/** Throws a CliError for an id that the server does not know, or that is none of an experiment. */
export async function findExperiment(client: Client, id: string): Promise<SeenExperiment> {
  const handle = client.workflow.getHandle<typeof runExperiment>(id);
  try {
    const { type, status, raw, taskQueue } = await handle.describe();
    if (type !== experimentType)
      throw new CliError(`experiment "${cut(id)}": expected an experiment, got a workflow of type ${type}`);
    const isOpen = status.name === 'RUNNING' || status.name === 'PAUSED';
    const isStuck = isOpen && (raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries;
    const trouble = isStuck ? 'its workflow code cannot go on; a worker of another release may' : failing(raw);
    return { handle, cluster: clusterOfQueue(taskQueue), status: status.name, isOpen, trouble };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new CliError(
      `experiment "${cut(id)}": expected the id of an experiment, as "critic experiment list" prints it; this Temporal server has no such`,
    );
  }
}

/** Why the last try of an activity failed that waits for its next one. */
function failing({ pendingActivities }: WorkflowExecutionDescription['raw']): string | undefined {
  const waiting = (pendingActivities ?? []).find(
    ({ state, lastFailure }) => Number(state) === pendingStates.waitsForATry && (lastFailure?.message ?? '') !== '',
  );
  if (waiting === undefined) return undefined;
  const what = waiting.activityType?.name === 'writeExperimentReport' ? 'its report is' : 'a step of it is';
  return `${what} tried again: ${cut(waiting.lastFailure?.message ?? '', 500)}`;
}

const queryMs = 10_000;

/** What it says of itself. Undefined while no worker answers. */
export async function viewOf(client: Client, handle: ExperimentHandle): Promise<ExperimentView | undefined> {
  try {
    const view = await client.withDeadline(Date.now() + queryMs, () => handle.query<unknown>('experiment'));
    return viewSchema.parse(view);
  } catch (error) {
    if (error instanceof ServiceError || error instanceof QueryNotRegisteredError) return undefined;
    throw error;
  }
}
