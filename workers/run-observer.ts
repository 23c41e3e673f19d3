/**
 * The observer: looks at runs from outside and tells what people must know of them. It sees what a run's own code cannot say: that it was terminated, has
 * failed, or cannot go on. It reads Temporal alone, so it costs a run no event; only of a failing activity it tells the run itself (trouble-teller.ts). What
 * it tells has an id made of what happened, so after a restart it tells nothing twice.
 */
import {
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
  WorkflowFailedError,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import pLimit from 'p-limit';
import * as z from 'zod';
import { type Cluster, queueOf } from '../domain/clusters.ts';
import { innermost } from '../domain/errors.ts';
import type { RunView } from '../domain/jobs/progress.ts';
import { isOpen } from '../domain/names.ts';
import type { Notice } from '../domain/notices/notice.ts';
import {
  type About,
  endedNotice,
  hopelessTries,
  type RunEnd,
  stuckNotice,
  waitingNotices,
  budgetNotice,
} from '../domain/notices/run-notices.ts';
import { wasReset } from './reset.ts';
import { isToldByExperiment } from './told-by-experiment.ts';
import { isToldByNight } from './told-by-night.ts';
import { TroubleTeller } from './trouble-teller.ts';

/** How far back ends are looked for, ms. After a longer absence of all workers older ends are not told. */
const backMs = 7 * 86_400_000;

/** From when on ends are told, ISO: a week back, and no end before the outbox began. */
export async function toldSince(outbox: Pick<NoticeKeeper, 'begun'>, now: Date): Promise<string> {
  return new Date(Math.max((await outbox.begun(now)).getTime(), now.getTime() - backMs)).toISOString();
}
/** Share of the cap at which a budget is told. */
const nearCap = 0.8;
/** A scoring is told of as a run is. */
const scoringType = 'scorePairs';
const atOnce = 8;
/** A worker that must replay a long history first answers within seconds. */
const queryMs = 10_000;

const resultSchema = z.object({
  passed: z.boolean(),
  reasons: z.array(z.string()),
  mainScore: z.number().nullable(),
  report: z.string(),
  reused: z.array(z.string()),
});
const memoSchema = z
  .object({ tell: z.array(z.string()).optional(), budgetUsd: z.number().optional(), experiment: z.string().optional() })
  .catch({});

export interface NoticeKeeper {
  put: (notice: Notice) => Promise<unknown>;
  /** Ends before this are not told. */
  begun: (now: Date) => Promise<Date>;
}

export class RunObserver {
  readonly #client: Client;
  readonly #outbox: NoticeKeeper;
  readonly #ofCluster: string;
  /** Ends that were told, by Temporal's run id. */
  readonly #told = new Set<string>();
  /** How long the history of a run was when it was asked what it waits for, by Temporal's run id. */
  readonly #asked = new Map<string, string>();

  readonly #troubles = new TroubleTeller();

  constructor(client: Client, outbox: NoticeKeeper, cluster?: Cluster) {
    this.#client = client;
    this.#outbox = outbox;
    this.#ofCluster = ofCluster(cluster);
  }

  /** One look at all runs of the cluster. A run that cannot be looked at is left for the next look; the first such error is thrown at the end. */
  async look(now: Date): Promise<void> {
    const since = await toldSince(this.#outbox, now);
    const query = `WorkflowType IN ('trainCritic', '${scoringType}') AND ${this.#ofCluster} AND (${isOpen} OR CloseTime > '${since}')`;
    const limit = pLimit(atOnce);
    const looks: Promise<void>[] = [];
    for await (const info of this.#client.workflow.list({ query })) {
      if (info.status.name === 'CONTINUED_AS_NEW' || this.#told.has(info.runId)) continue;
      looks.push(limit(() => this.#lookAt(info, now)));
    }
    const failed = (await Promise.allSettled(looks)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #lookAt(info: WorkflowExecutionInfo, now: Date): Promise<void> {
    const about = aboutOf(info, now);
    if (info.status.name !== 'RUNNING' && info.status.name !== 'PAUSED') {
      // Whoever asked for scores looks for them; that there are none is told.
      const isScored = about.isScoring === true && info.status.name === 'COMPLETED';
      const { experiment } = memoOf(info);
      const byExperiment = experiment !== undefined && (await isToldByExperiment(this.#client, experiment, info));
      const byNight = await isToldByNight(this.#client, info, now);
      if (byNight === 'later') return;
      if (!isScored && !byExperiment && byNight === 'no' && !(await wasReset(this.#client, info)))
        await this.#outbox.put(endedNotice(about, await this.#endOf(info)));
      this.#told.add(info.runId);
      this.#troubles.forget(info.runId);
      return;
    }
    const handle = this.#client.workflow.getHandle(info.workflowId, info.runId);
    const { raw } = await handle.describe();
    if ((raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries) {
      const { why, after } = await whyStuck(this.#client, info);
      await this.#outbox.put(stuckNotice(about, why, after));
      return;
    }
    const run = { signal: handle.signal.bind(handle), troubled: () => this.#troubled(info) };
    await this.#troubles.look(run, info.runId, raw.pendingActivities ?? [], now);
    // A run that has continued as new asks what it asked before. After a reset it asks anew.
    const first = raw.workflowExecutionInfo?.firstRunId ?? '';
    const reset = Number(raw.workflowExtendedInfo?.lastResetTime?.seconds ?? 0);
    const whole = {
      ...about,
      part: `${(first === '' ? info.runId : first).slice(0, 8)}${reset === 0 ? '' : `-${reset}`}`,
    };
    const usd = (raw.pendingActivities ?? []).map((one) => spent(one.heartbeatDetails?.payloads?.[0]));
    const most = Math.max(0, ...usd);
    const { budgetUsd } = memoOf(info);
    if (budgetUsd !== undefined && most >= nearCap * budgetUsd) {
      await this.#outbox.put(budgetNotice(whole, { spent: most, cap: budgetUsd }));
    }
    if (info.searchAttributes['CriticStatus']?.[0] === 'waiting') await this.#tellWaiting(info, whole, raw);
  }

  /** A run that waits is asked what for once, and again when its history has grown: the query may have a worker replay it. */
  async #tellWaiting(
    info: WorkflowExecutionInfo,
    about: About,
    raw: WorkflowExecutionDescription['raw'],
  ): Promise<void> {
    const length = String(raw.workflowExecutionInfo?.historyLength ?? '');
    if (this.#asked.get(info.runId) === length) return;
    const view = await this.#viewOf(info);
    if (view === undefined) return;
    for (const notice of waitingNotices(about, view)) await this.#outbox.put(notice);
    this.#asked.set(info.runId, length);
  }

  /** Ids of activities whose trouble the run shows. Undefined while no worker answers. */
  async #troubled(info: WorkflowExecutionInfo): Promise<ReadonlySet<string> | undefined> {
    const view = await this.#viewOf(info);
    if (view === undefined) return undefined;
    return new Set(view.stages.flatMap(({ trouble, activityId = '' }) => (trouble === undefined ? [] : [activityId])));
  }

  /** Undefined while no worker answers; the next look asks again. */
  async #viewOf({ workflowId }: WorkflowExecutionInfo): Promise<RunView | undefined> {
    const handle = this.#client.workflow.getHandle(workflowId);
    return this.#client.withDeadline(Date.now() + queryMs, () => handle.query<RunView>('view')).catch(() => undefined); // whatever it was, the run still waits at the next look
  }

  async #endOf({ workflowId, runId, status }: WorkflowExecutionInfo): Promise<RunEnd> {
    const temporal = status.name;
    try {
      const result = resultSchema.safeParse(await this.#client.workflow.getHandle(workflowId, runId).result());
      if (result.success) return { how: result.data.passed ? 'passed' : 'not-passed', ...result.data };
      return { how: 'failed', why: 'its result is of another release' };
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      const cause = innermost(error);
      const how = { CANCELLED: 'cancelled', TERMINATED: 'terminated', TIMED_OUT: 'timed-out' } as const;
      const known = temporal === 'CANCELLED' || temporal === 'TERMINATED' || temporal === 'TIMED_OUT';
      return { how: known ? how[temporal] : 'failed', why: cause.message };
    }
  }
}

/** Why a workflow ended without a result. Empty: it has one. */
export async function whyEnded(client: Client, { workflowId, runId }: WorkflowExecutionInfo): Promise<string> {
  try {
    await client.workflow.getHandle(workflowId, runId).result();
    return '';
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return innermost(error).message;
  }
}

/** What the newest failed workflow task said, and after which event of the history (the last that the code could deal with). */
export async function whyStuck(
  client: Client,
  { workflowId, runId }: WorkflowExecutionInfo,
): Promise<{ why: string; after: number }> {
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 200,
  });
  const events = history?.events ?? [];
  const failed = events.find((event) => event.workflowTaskFailedEventAttributes);
  const done = events.find((event) => event.workflowTaskCompletedEventAttributes);
  const why = failed?.workflowTaskFailedEventAttributes?.failure?.message;
  return { why: why ?? 'its workflow task fails again and again', after: Number(done?.eventId ?? 0) };
}

function memoOf({ memo }: WorkflowExecutionInfo): z.output<typeof memoSchema> {
  return memoSchema.parse(memo ?? {});
}

/** The part of a query that finds the workflows of a cluster. Others have an observer of their own. */
export function ofCluster(cluster: Cluster): string {
  return `TaskQueue = '${queueOf('workflows', cluster)}'`;
}

/** Whom a notice of this run is about, and who is told: as the memo says, which the run's night has written. */
export function aboutOf(info: WorkflowExecutionInfo, now: Date): About {
  const { tell } = memoOf(info);
  return {
    run: info.workflowId,
    part: info.runId.slice(0, 8),
    at: (info.closeTime ?? now).toISOString(),
    ...(tell === undefined ? {} : { to: tell }),
    ...nightOf(info),
    ...(info.type === scoringType ? { isScoring: true as const } : {}),
  };
}

export function nightOf({ searchAttributes }: WorkflowExecutionInfo): { night?: string } {
  const night = searchAttributes['CriticNight']?.[0];
  return typeof night === 'string' ? { night } : {};
}

type Payload = Parameters<typeof defaultPayloadConverter.fromPayload>[0];

/** USD that an activity says it has spent; 0 if it says nothing of it. */
function spent(payload: Payload | undefined): number {
  if (payload === undefined) return 0;
  const told = z.object({ usd: z.number() }).safeParse(defaultPayloadConverter.fromPayload(payload));
  return told.success ? told.data.usd : 0;
}
