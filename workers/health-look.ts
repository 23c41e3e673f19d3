/**
 * Health of runs that train: their numbers and sampled answers as they stand are judged every few minutes (`domain/health/running.ts`). That one trains sick is
 * told once for a stage. It reads what jobs write and changes nothing of a run; where a recipe wants more, the job's watcher sees it (watching.ts).
 */
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { healthOf } from '../activities/jobs/watching/health-watch.ts';
import type { Cluster } from '../domain/clusters.ts';
import type { RunningHealth } from '../domain/health/running.ts';
import { isJobStage, jobKind, paths } from '../domain/names.ts';
import { healthNotice } from '../domain/notices/run-notices.ts';
import { namesIn } from '../files/fresh-look.ts';
import { eachAlone } from './each-alone.ts';
import { aboutOf, type NoticeKeeper, ofCluster } from './run-observer.ts';

/** Pause between two looks, ms: numbers come step by step, and a trend needs many. */
const everyMs = 120_000;

export class HealthLook {
  readonly #client: Client;
  readonly #store: string;
  readonly #outbox: Pick<NoticeKeeper, 'put'>;
  readonly #ofCluster: string;
  #next = 0;

  constructor(client: Client, store: string, outbox: Pick<NoticeKeeper, 'put'>, cluster?: Cluster) {
    this.#client = client;
    this.#store = store;
    this.#outbox = outbox;
    this.#ofCluster = ofCluster(cluster);
  }

  /** One look at all open runs, if it is time. */
  async look(now: Date): Promise<void> {
    if (now.getTime() < this.#next) return;
    this.#next = now.getTime() + everyMs;
    const query = `WorkflowType = 'trainCritic' AND ${this.#ofCluster} AND ExecutionStatus = 'Running'`;
    await eachAlone(this.#client.workflow.list({ query }), async (info) => {
      for (const [stage, { verdict, signs }] of await this.#trained(info.workflowId)) {
        if (verdict === 'sick') await this.#outbox.put(healthNotice({ ...aboutOf(info, now), part: '' }, stage, signs));
      }
    });
  }

  /** Health of each stage of the run that trains by GRPO, over its attempts so far. */
  async #trained(run: string): Promise<[string, RunningHealth][]> {
    const jobs = join(paths.run(this.#store, run), 'jobs');
    const stages = [...(await namesIn(jobs))].filter((name) => isJobStage(name) && jobKind(name) === 'grpo');
    return Promise.all(
      stages.map(async (stage): Promise<[string, RunningHealth]> => {
        const attempts = [...(await namesIn(join(jobs, stage)))].flatMap((name) => /^a(\d+)$/.exec(name)?.[1] ?? []);
        const folders = attempts.toSorted((a, b) => Number(a) - Number(b)).map((n) => join(jobs, stage, `a${n}`));
        return [stage, await healthOf(folders)];
      }),
    );
  }
}
