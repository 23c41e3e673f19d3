/**
 * Health of runs that train: their numbers as they stand are judged every few minutes, by the rules of the report (`domain/health/health.ts`). A warning is
 * told once for a stage. It reads what jobs write and changes nothing of a run.
 */
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { stitchedRows } from '../activities/jobs/attempt-metrics.ts';
import type { Cluster } from '../domain/clusters.ts';
import { judgeTraining } from '../domain/health/health.ts';
import type { MetricsRow } from '../domain/manifest.ts';
import { isJobStage, jobKind, paths } from '../domain/names.ts';
import { healthNotice } from '../domain/run-notices.ts';
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
      for (const [stage, rows] of await this.#trained(info.workflowId)) {
        for (const finding of judgeTraining(rows).filter(({ level }) => level === 'warning')) {
          await this.#outbox.put(healthNotice({ ...aboutOf(info, now), part: '' }, stage, finding));
        }
      }
    });
  }

  /** Numbers of each stage of the run that trains by GRPO, over its attempts so far. */
  async #trained(run: string): Promise<[string, MetricsRow[]][]> {
    const jobs = join(paths.run(this.#store, run), 'jobs');
    const stages = [...(await namesIn(jobs))].filter((name) => isJobStage(name) && jobKind(name) === 'grpo');
    return Promise.all(
      stages.map(async (stage): Promise<[string, MetricsRow[]]> => {
        const attempts = [...(await namesIn(join(jobs, stage)))].flatMap((name) => /^a(\d+)$/.exec(name)?.[1] ?? []);
        const folders = attempts.toSorted((a, b) => Number(a) - Number(b)).map((n) => join(jobs, stage, `a${n}`));
        return [stage, await stitchedRows(folders)];
      }),
    );
  }
}
