/**
 * Health of runs that train: their numbers and sampled answers as they stand are judged every few minutes (`domain/health/running.ts`). That one trains sick is
 * told once for a stage. It reads what jobs write and changes nothing of a run; where a recipe wants more, the job's watcher sees it (watching.ts).
 */
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { TrainingHealth } from '../activities/jobs/watching/health-watch.ts';
import type { Cluster } from '../domain/clusters.ts';
import type { RunningHealth } from '../domain/health/running.ts';
import { isJobStage, isOpen, jobKind, paths } from '../domain/names.ts';
import { healthNotice } from '../domain/notices/run-notices.ts';
import { namesIn } from '../files/fresh-look.ts';
import { eachAlone } from './each-alone.ts';
import { aboutOf, type NoticeKeeper, ofCluster } from './run-observer.ts';

/** Pause between two looks, ms: numbers come step by step, and a trend needs many. */
const everyMs = 120_000;
/** Of the files of all trainings together whose rows are remembered from look to look, bytes. Those of others are read anew. */
const rememberedBytes = 32 * 1024 * 1024;

export class HealthLook {
  readonly #client: Client;
  readonly #store: string;
  readonly #outbox: Pick<NoticeKeeper, 'put'>;
  readonly #ofCluster: string;
  readonly #mostBytes: number;
  /** By run and stage. A cache: without it all is read anew. */
  #remembered: ReadonlyMap<string, TrainingHealth> = new Map();
  #next = 0;

  constructor(
    client: Client,
    store: string,
    outbox: Pick<NoticeKeeper, 'put'>,
    { cluster, mostBytes = rememberedBytes }: { cluster?: Cluster; mostBytes?: number } = {},
  ) {
    this.#client = client;
    this.#store = store;
    this.#outbox = outbox;
    this.#ofCluster = ofCluster(cluster);
    this.#mostBytes = mostBytes;
  }

  /** One look at all open runs, if it is time. */
  async look(now: Date): Promise<void> {
    if (now.getTime() < this.#next) return;
    this.#next = now.getTime() + everyMs;
    const query = `WorkflowType = 'trainCritic' AND ${this.#ofCluster} AND ${isOpen}`;
    const seen = new Remembered(this.#mostBytes);
    try {
      await eachAlone(this.#client.workflow.list({ query }), async (info) => {
        for (const [stage, { verdict, signs }] of await this.#trained(info.workflowId, seen)) {
          if (verdict === 'sick')
            await this.#outbox.put(healthNotice({ ...aboutOf(info, now), part: '' }, stage, signs));
        }
      });
    } finally {
      this.#remembered = seen.trainings;
    }
  }

  /** Health of each stage of the run that trains by GRPO, over its attempts so far. */
  async #trained(run: string, seen: Remembered): Promise<[string, RunningHealth][]> {
    const jobs = join(paths.run(this.#store, run), 'jobs');
    const stages = [...(await namesIn(jobs))].filter((name) => isJobStage(name) && jobKind(name) === 'grpo');
    return Promise.all(
      stages.map(async (stage): Promise<[string, RunningHealth]> => {
        const attempts = [...(await namesIn(join(jobs, stage)))].flatMap((name) => /^a(\d+)$/.exec(name)?.[1] ?? []);
        const folders = attempts.toSorted((a, b) => Number(a) - Number(b)).map((n) => join(jobs, stage, `a${n}`));
        const key = `${run}/${stage}`;
        const training = this.#remembered.get(key) ?? new TrainingHealth();
        const health = await training.judge(folders);
        seen.keep(key, training);
        return [stage, health];
      }),
    );
  }
}

/** As many of the trainings of a look as may be remembered: what is more is let go of at once, not at the end of the look. */
class Remembered {
  readonly trainings = new Map<string, TrainingHealth>();
  #left: number;

  constructor(mostBytes: number) {
    this.#left = mostBytes;
  }

  keep(key: string, training: TrainingHealth): void {
    if (training.bytes > this.#left) return;
    this.#left -= training.bytes;
    this.trainings.set(key, training);
  }
}
