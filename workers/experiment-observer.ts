/**
 * The observer of experiments: what an experiment's own code cannot tell. It failed, was cancelled or terminated; its workflow code cannot go on; an activity of
 * it, such as its report, fails again and again. That it came to its end it tells itself. It reads Temporal alone. What it tells has an id made of what happened,
 * so after a restart it tells nothing twice. Its runs are told of by the observer of runs.
 */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { Cluster } from '../domain/clusters.ts';
import { experimentFailedNotice, experimentStuckNotice, experimentWaitsNotice } from '../domain/experiment/notice.ts';
import { isOpen } from '../domain/names.ts';
import { hopelessTries } from '../domain/notices/run-notices.ts';
import { eachAlone } from './each-alone.ts';
import { wasReset } from './reset.ts';
import { type NoticeKeeper, ofCluster, toldSince, whyEnded, whyStuck } from './run-observer.ts';
import { failureOf } from './trouble-teller.ts';

export class ExperimentObserver {
  readonly #client: Client;
  readonly #outbox: NoticeKeeper;
  readonly #ofCluster: string;
  /** Ends that were told, by Temporal's run id. */
  readonly #told = new Set<string>();

  constructor(client: Client, outbox: NoticeKeeper, cluster?: Cluster) {
    this.#client = client;
    this.#outbox = outbox;
    this.#ofCluster = ofCluster(cluster);
  }

  /** One look at all experiments of the cluster. One that cannot be looked at is left for the next look; the first such error is thrown at the end. */
  async look(now: Date): Promise<void> {
    const since = await toldSince(this.#outbox, now);
    const query = `WorkflowType = 'runExperiment' AND ${this.#ofCluster} AND (${isOpen} OR CloseTime > '${since}')`;
    await eachAlone(this.#client.workflow.list({ query }), async (info) => {
      if (!this.#told.has(info.runId)) await this.#lookAt(info, now);
    });
  }

  async #lookAt(info: WorkflowExecutionInfo, now: Date): Promise<void> {
    const about = { id: info.workflowId, part: info.runId.slice(0, 8), at: (info.closeTime ?? now).toISOString() };
    const { name } = info.status;
    if (name !== 'RUNNING' && name !== 'PAUSED') {
      if (name !== 'COMPLETED' && !(await wasReset(this.#client, info)))
        await this.#outbox.put(experimentFailedNotice(about, name, await whyEnded(this.#client, info)));
      this.#told.add(info.runId);
      return;
    }
    const { raw } = await this.#client.workflow.getHandle(info.workflowId, info.runId).describe();
    if ((raw.pendingWorkflowTask?.attempt ?? 0) >= hopelessTries) {
      const { why, after } = await whyStuck(this.#client, info);
      await this.#outbox.put(experimentStuckNotice(about, why, after));
    }
    for (const activity of raw.pendingActivities ?? []) {
      const why = (activity.attempt ?? 0) < hopelessTries ? undefined : failureOf(activity, now);
      const what = activity.activityType?.name ?? '';
      if (why !== undefined) await this.#outbox.put(experimentWaitsNotice(about, what, why));
    }
  }
}
