/** How a scoring is started: its order, on the cluster of its critic, under the id of this second. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { defaultPayloadConverter, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import * as z from 'zod';
import { type Cluster, queueOf } from '../../../domain/clusters.ts';
import { type ChosenCritic, criticInWords, scoringId, type ScoringOrder } from '../../../domain/scoring/scoring.ts';
import type { scorePairs } from '../../../workflows/score-pairs.ts';
import { CliError } from '../../cli-error.ts';
import { chosenCluster, clusterOfRun, requireSame, requireServed } from '../../cluster.ts';
import { inquireOn } from '../../inquire.ts';
import { findRun, scoringType, type SeenRun } from '../../run-handle.ts';
import { openSuccessor } from '../resume.ts';

export type WantedScoring = Omit<ScoringOrder, 'schema' | 'id'>;

/** Starts it and returns its id, which is its workflow's. If two start in one second, one takes the next second's. */
export async function startScoring(client: Client, wanted: WantedScoring, now = new Date()): Promise<string> {
  const cluster = await clusterOf(client, wanted);
  await requireServed(client, cluster, '--cluster');
  const critic = await possible(client, cluster, wanted);
  for (let at = now; ; at = new Date(at.getTime() + 1000)) {
    const order: ScoringOrder = { schema: 1, id: scoringId(wanted, at), ...wanted, critic };
    try {
      const handle = await client.workflow.start<typeof scorePairs>(scoringType, {
        workflowId: order.id,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        taskQueue: queueOf('workflows', cluster),
        args: [order],
        staticSummary: `${order.purpose} by ${criticInWords(order.critic)}`,
        typedSearchAttributes: undefined,
        ...(order.resumes === undefined ? {} : { memo: { resumes: order.resumes } }),
        searchAttributes: order.owner === undefined ? {} : { CriticOwner: [order.owner] },
      });
      return handle.workflowId;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

const checkReply = z.object({ faults: z.array(z.string()), version: z.int().exactOptional() });

/**
 * Which critic it is, a champion with its version: one that is promoted later is another, also for who resumes this. Nothing is started where the worker does not
 * find it, or cannot open what is named: throws a CliError with each fault.
 */
async function possible(client: Client, cluster: Cluster, wanted: WantedScoring): Promise<ChosenCritic> {
  const { purpose, critic, pairs, mapping } = wanted;
  const asked = { purpose, critic, pairs, ...(mapping === undefined ? {} : { mapping }) };
  const { faults, version } = await inquireOn(client, cluster, 'scoring-check', asked, checkReply);
  if (faults.length > 0) throw new CliError(`${faults.join('\n')}\nNothing was started.`);
  return 'champion' in critic && version !== undefined ? { ...critic, version } : critic;
}

/** One that is resumed stays where it was. A run's critic is in the store of the run's cluster. */
async function clusterOf(client: Client, { critic, resumes }: WantedScoring): Promise<Cluster> {
  if (resumes !== undefined) {
    const cluster = await clusterOfRun(client, resumes);
    requireSame(client, resumes, { cluster });
    return cluster;
  }
  return 'champion' in critic ? chosenCluster(client) : clusterOfRun(client, critic.run);
}

const orderSchema = z.custom<ScoringOrder>(
  (value) => z.looseObject({ schema: z.literal(1), id: z.string(), purpose: z.string() }).safeParse(value).success,
);

/** How long a resume waits for a scoring that is being cancelled, and how often it looks. Ending its job takes as long as saving a checkpoint. */
const [endsWithinMs, lookMs] = [5 * 60_000, 1000];

/** Looks a scoring up; one that is being cancelled, once it has ended, if that is soon. `say` is told of the wait. */
async function ended(client: Client, id: string, say: (sentence: string) => void): Promise<SeenRun> {
  const last = Date.now() + endsWithinMs;
  for (let isTold = false; ; isTold = true) {
    const seen = await findRun(client, id, [scoringType]);
    if (!seen.isCancelling || Date.now() > last) return seen;
    if (!isTold) say(`${id} is being cancelled: it is resumed once it has ended, which takes some seconds to minutes`);
    await sleep(lookMs);
  }
}

/**
 * What a scoring that ended early was asked for, to ask for it again. Throws a CliError for one that goes on, has a result, is resumed already, or is not known.
 */
export async function orderOf(client: Client, id: string, say: (sentence: string) => void): Promise<WantedScoring> {
  const { isOpen, isCancelling, status } = await ended(client, id, say);
  if (isCancelling)
    throw new CliError(
      `${id}: it is still being cancelled after 5 minutes; resume it once "critic status ${id}" says that it has ended`,
    );
  if (isOpen) throw new CliError(`${id}: expected a scoring that has ended, got one that goes on`);
  if (status === 'COMPLETED') throw new CliError(`${id}: expected a scoring that ended early, got one with a result`);
  const successor = await openSuccessor(client, id, scoringType);
  if (successor !== undefined) throw new CliError(`${id}: ${successor} resumes it already; watch that one`);
  const { schema: _schema, id: _id, resumes: _resumes, ...wanted } = await firstInput(client, id);
  return { ...wanted, resumes: id };
}

async function firstInput(client: Client, id: string): Promise<ScoringOrder> {
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId: id },
      maximumPageSize: 1,
    });
    const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const read = orderSchema.safeParse(payload && defaultPayloadConverter.fromPayload(payload));
    if (read.success) return read.data;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  throw new CliError(`${id}: Temporal does not tell what it was asked for; start a new one`);
}

/** The worker opens it: an absolute path, and one that both see. */
export function seenByWorker(path: string): string {
  return resolve(path);
}
