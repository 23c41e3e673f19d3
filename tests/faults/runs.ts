/** Runs of the fault tests: orders of tiny jobs, the counter that the jobs write themselves, and what Slurm says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { type JobStage, paths, taskQueues } from '../../domain/names.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import type { runJobs } from '../../workflows/jobs/run-jobs.ts';
import { nodes } from '../../infra/local/slurm-files.ts';
import { counters, slurm, temporalAddress, trainer, where } from './stack.ts';

export interface Wish {
  steps?: number;
  stepSeconds?: number;
  checkpoints?: boolean;
  deaf?: boolean;
  sabotage?: 'no-outcome' | 'truncated-outcome' | 'lying-outcome' | 'half-done' | 'hang' | 'stall';
  watch?: Partial<JobOrder['watch']>;
  resources?: Partial<JobOrder['resources']>;
  /** Counter file, if not the run's own. */
  counter?: string;
}

let number = 0;

/** A run id that no other test had. */
export function newRun(word: string): string {
  number += 1;
  return `${word.slice(0, 20)}-${Date.now().toString(36)}-${number}`;
}

export function order(run: string, wish: Wish = {}, stage: JobStage = 'sft'): JobOrder {
  const { steps = 3, stepSeconds = 0.3, checkpoints, deaf, sabotage, resources, counter = join(counters, run) } = wish;
  const watch = {
    stall_factor: 10,
    stall_seconds: 600,
    first_row_seconds: 3600,
    checkpoint_seconds: 180,
    ...wish.watch,
  };
  const ingredients = { run, stage };
  return {
    run,
    stage,
    key: artifactKey(stage, ingredients),
    ingredients,
    model: '/nowhere',
    inputs: {},
    params: { counter, step_seconds: stepSeconds, checkpoints, deaf, sabotage },
    seed: 1,
    threads: 1,
    planned: { steps, rows: null },
    engine: { name: 'llamafactory', versions: {} },
    resources: { nodes: 1, gpus_per_node: 1, cpus: 1, time_limit_minutes: 5, exclude_nodes: [], ...resources },
    watch,
    trainer,
  };
}

export class Runs {
  readonly #connection: Connection;
  readonly client: Client;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.client = new Client({ connection });
  }

  static async connect(): Promise<Runs> {
    return new Runs(await Connection.connect({ address: temporalAddress }));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async start(run: string, wish: Wish = {}): Promise<WorkflowHandle<typeof runJobs>> {
    const orders = [order(run, wish)];
    return this.client.workflow.start<typeof runJobs>('runJobs', {
      workflowId: run,
      taskQueue: taskQueues.workflows,
      args: [{ run, orders, retries: { max_attempts: 5, policy: {} } }],
    });
  }

  async view(run: string): Promise<RunView> {
    return this.client.workflow.getHandle(run).query<RunView>('view');
  }

  /** Names of activities that are under way. */
  async pending(run: string): Promise<string[]> {
    const { raw } = await this.client.workflow.getHandle(run).describe();
    return (raw.pendingActivities ?? []).map((activity) => activity.activityId ?? '');
  }

  /** What the last try of each activity under way said, if it failed. */
  async troubles(run: string): Promise<string[]> {
    const { raw } = await this.client.workflow.getHandle(run).describe();
    return (raw.pendingActivities ?? []).flatMap(({ lastFailure }) => [
      lastFailure?.message ?? '',
      lastFailure?.cause?.message ?? '',
    ]);
  }

  /** Waits until the operator is asked; the sentence. */
  async question(run: string, seconds = 180): Promise<string> {
    return until(`run ${run} asks the operator`, seconds, async () => (await this.view(run)).questions[0]?.sentence);
  }

  async answer(run: string, action: 'retry' | 'abort'): Promise<void> {
    await this.client.workflow.getHandle(run).executeUpdate('answer', { args: [{ stage: 'sft', action }] });
  }
}

/** Waits until `look` gives something; a failure to look counts as nothing. */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`, { cause: last });
    await sleep(200);
  }
}

/** Lines that the jobs of a run wrote themselves, e.g. `start critic-x-sft-a1 12`. */
export function counted(run: string): string[] {
  try {
    return readFileSync(join(counters, run), 'utf8').trim().split('\n');
  } catch {
    return []; // no job has run yet
  }
}

/** `start a1`, `step 1 a1`, …: the counter without names and job ids. */
export function story(run: string): string[] {
  return counted(run).map((line) => line.replace(/ critic-\S+-(a\d+) \d+$/, ' $1'));
}

/** Steps that were done, oldest first, of all attempts. */
export function doneSteps(run: string): number[] {
  return story(run).flatMap((line) => {
    const found = /^step (\d+)/.exec(line);
    return found === null ? [] : [Number(found[1])];
  });
}

export function starts(run: string): string[] {
  return story(run).filter((line) => line.startsWith('start'));
}

export function attemptFolder(run: string, attempt = 1): string {
  return paths.attempt(where.store, run, 'sft', attempt);
}

export interface Row {
  id: string;
  name: string;
  state: string;
}

/** slurmdbd lags by a second or two. */
export const settled = { timeout: 20_000, interval: 500 };

/** States of all jobs that a run ever had, as slurmdbd has them. */
export async function accounted(run: string): Promise<string[]> {
  const found = rows(
    run,
    await slurm('sacct', '-X', '-n', '-P', '--allusers', '-S', 'now-1days', '-o', 'JobID,JobName%80,State'),
  );
  return found.map((row) => row.state.replace(/ by \d+$/, ''));
}

/** Jobs of a run that are not over. */
export async function queued(run: string): Promise<Row[]> {
  return rows(run, await slurm('squeue', '-h', '-o', '%i|%j|%T'));
}

function rows(run: string, text: string): Row[] {
  return text
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([, name]) => name?.startsWith(`critic-${run}-`) ?? false)
    .map(([id = '', name = '', state = '']) => ({ id, name, state }));
}

/** Id of the run's one job, once it runs. */
export async function runningJob(run: string): Promise<string> {
  return until(`a job of ${run} runs`, 120, async () => (await queued(run)).find((row) => row.state === 'RUNNING')?.id);
}

/** A node on which this job does not run: slurmd takes no second job under an id that it has. */
export async function otherNode(id: string): Promise<string> {
  const own = await slurm('squeue', '-h', '-j', id, '-o', '%N');
  const other = nodes.find((name) => name !== own);
  if (other === undefined) throw new Error(`there is no node beside ${own}`);
  return other;
}
