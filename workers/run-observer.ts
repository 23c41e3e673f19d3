/**
 * The observer: looks at runs from outside and tells what people must know of them. It reads Temporal alone, so it costs a run no event, and it sees what a
 * run's own code cannot say: that it was terminated, has failed, or cannot go on. What it tells has an id made of what happened, so after a restart it
 * tells nothing twice.
 */
import { type Client, type WorkflowExecutionInfo, WorkflowFailedError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import pLimit from 'p-limit';
import * as z from 'zod';
import type { RunView } from '../domain/jobs/progress.ts';
import type { Notice } from '../domain/notice.ts';
import {
  endedNotice,
  hopelessTries,
  type RunEnd,
  stuckNotice,
  waitingNotices,
  budgetNotice,
} from '../domain/run-notices.ts';

/** How far back ends are looked for. After a longer absence of all workers older ends are not told. */
const backMs = 7 * 86_400_000;
/** Share of the cap at which a budget is told. */
const nearCap = 0.8;
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
const memoSchema = z.object({ tell: z.array(z.string()).optional(), budgetUsd: z.number().optional() }).catch({});

export interface NoticeKeeper {
  put: (notice: Notice) => Promise<unknown>;
  /** Ends before this are not told. */
  begun: (now: Date) => Promise<Date>;
}

export class RunObserver {
  readonly #client: Client;
  readonly #outbox: NoticeKeeper;
  /** Ends that were told, by Temporal's run id. */
  readonly #told = new Set<string>();

  constructor(client: Client, outbox: NoticeKeeper) {
    this.#client = client;
    this.#outbox = outbox;
  }

  /** One look at all runs. A run that cannot be looked at is left for the next look; the first such error is thrown at the end. */
  async look(now: Date): Promise<void> {
    const begun = await this.#outbox.begun(now);
    const since = new Date(Math.max(begun.getTime(), now.getTime() - backMs)).toISOString();
    const query = `WorkflowType = 'trainCritic' AND (ExecutionStatus = 'Running' OR CloseTime > '${since}')`;
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
    const memo = memoSchema.parse(info.memo ?? {});
    const about = {
      run: info.workflowId,
      part: info.runId.slice(0, 8),
      at: (info.closeTime ?? now).toISOString(),
      ...(memo.tell === undefined ? {} : { to: memo.tell }),
      ...nightOf(info),
    };
    if (info.status.name !== 'RUNNING' && info.status.name !== 'PAUSED') {
      await this.#outbox.put(endedNotice(about, await this.#endOf(info)));
      this.#told.add(info.runId);
      return;
    }
    const { raw } = await this.#client.workflow.getHandle(info.workflowId, info.runId).describe();
    if ((raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries) {
      await this.#outbox.put(stuckNotice(about, await this.#whyStuck(info)));
      return;
    }
    const usd = (raw.pendingActivities ?? []).map((one) => spent(one.heartbeatDetails?.payloads?.[0]));
    const most = Math.max(0, ...usd);
    if (memo.budgetUsd !== undefined && most >= nearCap * memo.budgetUsd) {
      await this.#outbox.put(budgetNotice(about, { spent: most, cap: memo.budgetUsd }));
    }
    if (info.searchAttributes['CriticStatus']?.[0] !== 'waiting') return;
    const view = await this.#viewOf(info);
    for (const notice of view === undefined ? [] : waitingNotices(about, view)) await this.#outbox.put(notice);
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
      let cause: Error = error.cause ?? error;
      while (cause.cause instanceof Error) cause = cause.cause;
      const how = { CANCELLED: 'cancelled', TERMINATED: 'terminated', TIMED_OUT: 'timed-out' } as const;
      const known = temporal === 'CANCELLED' || temporal === 'TERMINATED' || temporal === 'TIMED_OUT';
      return { how: known ? how[temporal] : 'failed', why: cause.message };
    }
  }

  /** What the newest failed workflow task said. */
  async #whyStuck({ workflowId, runId }: WorkflowExecutionInfo): Promise<string> {
    const { history } = await this.#client.workflowService.getWorkflowExecutionHistoryReverse({
      namespace: this.#client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 20,
    });
    const failed = (history?.events ?? []).find((event) => event.workflowTaskFailedEventAttributes);
    return failed?.workflowTaskFailedEventAttributes?.failure?.message ?? 'its workflow task fails again and again';
  }
}

function nightOf({ searchAttributes }: WorkflowExecutionInfo): { night?: string } {
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
