/** The two chains of bench/handover: four jobs of `sleep`, by our workflow and by a bare `sbatch --dependency=afterok`. */
import { chownSync, cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { type JobStage, taskQueues } from '../../domain/names.ts';
import { identity } from '../../infra/local/slurm-root.ts';
import { users } from '../../infra/local/stack-config.ts';
import type { runJobs } from '../../workflows/jobs/run-jobs.ts';
import { config, slurm } from '../stack.ts';

/** Four stages whose jobs follow each other; what they are called does not matter here. */
const stages: JobStage[] = ['sft', 'grpo', 'predict-base', 'predict-sft'];
export const jobs = stages.length;

const bareScript = fileURLToPath(new URL('bare.sh', import.meta.url));

/** Copies the stand-in trainer to where jobs can read it; its folder. */
export function installTrainer(): string {
  const folder = join(config.state, 'trainer');
  cpSync(fileURLToPath(new URL('trainer', import.meta.url)), folder, { recursive: true });
  return folder;
}

/** Runs the chain as a run of ours; seconds from the start of the workflow to its result. */
export async function ours(client: Client, trainer: string, run: string, seconds: number): Promise<number> {
  const orders = stages.map((stage) => order(run, stage, trainer, seconds));
  const startedAt = performance.now();
  await client.workflow.execute<typeof runJobs>('runJobs', {
    workflowId: run,
    taskQueue: taskQueues.workflows,
    args: [{ run, orders, retries: { max_attempts: 1, policy: {} } }],
  });
  return (performance.now() - startedAt) / 1000;
}

function order(run: string, stage: JobStage, trainer: string, seconds: number): JobOrder {
  const ingredients = { run, stage };
  return {
    run,
    stage,
    key: artifactKey(stage, ingredients),
    ingredients,
    model: '/nowhere',
    inputs: {},
    params: { seconds },
    seed: 1,
    threads: 1,
    planned: { steps: 1, rows: null },
    engine: { name: 'llamafactory', versions: {} },
    resources: { nodes: 1, gpus_per_node: 1, cpus: 1, time_limit_minutes: 5, exclude_nodes: [] },
    watch: { stall_factor: 10, stall_seconds: 600, first_row_seconds: 3600, checkpoint_seconds: 180 },
    trainer,
  };
}

/** Submits all four jobs at once, each after the one before; seconds from the first sbatch to the last job's own mark. */
export async function bare(run: string, seconds: number): Promise<number> {
  const folder = join(config.state, 'bare', run);
  const owner = identity(config, users.job);
  mkdirSync(folder, { recursive: true });
  chownSync(folder, owner.uid, owner.gid);
  const mark = (index: number) => join(folder, `done-${index}`);
  const startedAt = performance.now();
  let before: string[] = [];
  for (let index = 0; index < jobs; index += 1) {
    const resources = ['--cpus-per-task=1', '--gres=gpu:a100:1', '--time=5', `--uid=${users.job}`];
    const id = await slurm(
      'sbatch',
      '--parsable',
      `--job-name=${run}-${index}`,
      `--chdir=${folder}`,
      ...resources,
      ...before,
      bareScript,
      String(seconds),
      mark(index),
    );
    before = [`--dependency=afterok:${id}`];
  }
  const until = startedAt + (jobs * seconds + 120) * 1000;
  while (!existsSync(mark(jobs - 1))) {
    if (performance.now() > until) throw new Error(`the bare chain ${run} has not ended: see ${folder}`);
    await sleep(20);
  }
  return (performance.now() - startedAt) / 1000;
}
