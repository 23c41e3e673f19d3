/**
 * Ends of nights that their own workflow cannot tell: it cannot go on, has failed, or somebody has terminated it. Without it no digest comes and no deadline
 * is minded. Its run is another workflow, which goes on, and which `run-observer.ts` looks after. And nights that are held up: something that they do fails
 * again and again, such as a store that takes nothing.
 */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Cluster } from '../domain/clusters.ts';
import { pendingStates } from '../domain/jobs/progress.ts';
import { isOpen } from '../domain/names.ts';
import {
  brokenNightNotice,
  heldUpNotice,
  type NightWorkflow,
  stuckNightNotice,
} from '../domain/nights/night-notices.ts';
import { hopelessTries } from '../domain/notices/run-notices.ts';
import { nightSchema } from '../input/night-file.ts';
import { eachAlone } from './each-alone.ts';
import { wasReset } from './reset.ts';
import { nightOf, type NoticeKeeper, ofCluster, toldSince, whyEnded, whyStuck } from './run-observer.ts';

/** Tries of one step after which people are told: with the pauses of such a step (`paces.store`) that is half a minute. */
const heldUpTries = 5;

const words: Readonly<Record<string, string>> = {
  FAILED: 'has failed',
  TERMINATED: 'was terminated',
  TIMED_OUT: 'timed out',
};

export class NightEnds {
  readonly #client: Client;
  readonly #outbox: NoticeKeeper;
  readonly #ofCluster: string;
  /** Temporal's run ids of what was told. */
  readonly #told = new Set<string>();

  constructor(client: Client, outbox: NoticeKeeper, cluster?: Cluster) {
    this.#client = client;
    this.#outbox = outbox;
    this.#ofCluster = ofCluster(cluster);
  }

  /** One look at all nights that go on or have ended badly. */
  async look(now: Date): Promise<void> {
    const since = await toldSince(this.#outbox, now);
    const bad = `ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut') AND CloseTime > '${since}'`;
    const query = `WorkflowType = 'runNight' AND ${this.#ofCluster} AND (${isOpen} OR (${bad}))`;
    await eachAlone(this.#client.workflow.list({ query }), async (info) => {
      if (!this.#told.has(info.runId)) await this.#lookAt(info, now);
    });
  }

  async #lookAt(info: WorkflowExecutionInfo, now: Date): Promise<void> {
    const said = words[info.status.name];
    if (said !== undefined) {
      if (!(await wasReset(this.#client, info)))
        await this.#outbox.put(
          brokenNightNotice(await this.#about(info, now), said, await whyEnded(this.#client, info)),
        );
      this.#told.add(info.runId);
      return;
    }
    const { raw } = await this.#client.workflow.getHandle(info.workflowId, info.runId).describe();
    if ((raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries) {
      const { why, after } = await whyStuck(this.#client, info);
      await this.#outbox.put(stuckNightNotice(await this.#about(info, now), why, after));
    }
    for (const failing of raw.pendingActivities ?? []) {
      if (!isHeldUp(failing)) continue;
      const { activityType, lastFailure } = failing;
      const step = activityType?.name ?? 'activity';
      await this.#outbox.put(heldUpNotice(await this.#about(info, now), step, lastFailure?.message ?? 'no reason'));
    }
  }

  async #about(info: WorkflowExecutionInfo, now: Date): Promise<NightWorkflow> {
    const { data: night } = nightSchema.safeParse(await inputOf(this.#client, info));
    return {
      night: nightOf(info).night ?? info.workflowId,
      workflow: info.workflowId,
      part: info.runId.slice(0, 8),
      at: (info.closeTime ?? now).toISOString(),
      ...(night?.tell === undefined ? {} : { to: night.tell }),
    };
  }
}

/** What waits for its next try has failed. What is under way may only have lost its worker some times. */
function isHeldUp({ state, attempt }: { state?: number | null; attempt?: number | null }): boolean {
  return state === pendingStates.waitsForATry && (attempt ?? 0) > heldUpTries;
}

/** What a workflow was begun with: the input in the first event of its history. */
async function inputOf(client: Client, { workflowId, runId }: WorkflowExecutionInfo): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return payload === undefined || payload === null ? undefined : defaultPayloadConverter.fromPayload(payload);
}
