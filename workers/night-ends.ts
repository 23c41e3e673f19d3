/**
 * Ends of nights that their own workflow cannot tell: it cannot go on, has failed, or somebody has terminated it. Without it no digest comes and no deadline
 * is minded. Its run is another workflow, which goes on, and which `run-observer.ts` looks after.
 */
import { type Client, WorkflowFailedError, type WorkflowExecutionInfo } from '@temporalio/client';
import type { Cluster } from '../domain/clusters.ts';
import { brokenNightNotice, stuckNightNotice } from '../domain/night-notices.ts';
import { hopelessTries } from '../domain/run-notices.ts';
import { eachAlone } from './each-alone.ts';
import { backMs, nightOf, type NoticeKeeper, ofCluster, whyStuck } from './run-observer.ts';

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
    const begun = await this.#outbox.begun(now);
    const since = new Date(Math.max(begun.getTime(), now.getTime() - backMs)).toISOString();
    const bad = `ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut') AND CloseTime > '${since}'`;
    const query = `WorkflowType = 'runNight' AND ${this.#ofCluster} AND (ExecutionStatus = 'Running' OR (${bad}))`;
    await eachAlone(this.#client.workflow.list({ query }), async (info) => {
      if (!this.#told.has(info.runId)) await this.#lookAt(info, now);
    });
  }

  async #lookAt(info: WorkflowExecutionInfo, now: Date): Promise<void> {
    const about = {
      night: nightOf(info).night ?? info.workflowId,
      workflow: info.workflowId,
      part: info.runId.slice(0, 8),
      at: (info.closeTime ?? now).toISOString(),
    };
    const said = words[info.status.name];
    if (said !== undefined) {
      await this.#outbox.put(brokenNightNotice(about, said, await this.#whyEnded(info)));
      this.#told.add(info.runId);
      return;
    }
    const { raw } = await this.#client.workflow.getHandle(info.workflowId, info.runId).describe();
    if ((raw.pendingWorkflowTask?.attempt ?? 0) < hopelessTries) return;
    const { why, after } = await whyStuck(this.#client, info);
    await this.#outbox.put(stuckNightNotice(about, why, after));
  }

  async #whyEnded({ workflowId, runId }: WorkflowExecutionInfo): Promise<string> {
    try {
      await this.#client.workflow.getHandle(workflowId, runId).result();
      return '';
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      let cause: Error = error.cause ?? error;
      while (cause.cause instanceof Error) cause = cause.cause;
      return cause.message;
    }
  }
}
