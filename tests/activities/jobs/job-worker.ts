/** A store, a Slurm in memory and workers on them, each with nothing in its memory; and what a job leaves in its folder. */
import { appendFile, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactKey, ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { JobDeps } from '../../../activities/jobs/deps.ts';
import { translatedAll } from '../../../activities/failure.ts';
import { Accounting } from '../../../activities/jobs/accounting.ts';
import { createAttemptActivities } from '../../../activities/jobs/attempts.ts';
import { createCancelActivities } from '../../../activities/jobs/cancelling.ts';
import { createCollectActivities } from '../../../activities/jobs/collecting.ts';
import { JobPoller } from '../../../activities/jobs/watching/job-poller.ts';
import { createSubmissionActivities } from '../../../activities/jobs/submission.ts';
import { createWatchActivities } from '../../../activities/jobs/watching/watching.ts';
import { firstAttempt, type JobOrder } from '../../../domain/jobs/job-spec.ts';
import { attemptName, paths } from '../../../domain/names.ts';
import { activityEnvironment, inActivity, sftOrder, temporaryFolder } from '../fixtures.ts';
import { FakeSlurm } from './fake-slurm.ts';

export const run = 'demo-20261124-000000';
/** Ten steps of SFT, with the key that the store makes of its ingredients. */
const ingredients = { of: 'a test' };
export const order: JobOrder = { ...sftOrder(run), ingredients, key: artifactKey('sft', ingredients) };
export const name = attemptName(run, 'sft', 1);
export const input = { order, attempt: 1, changes: firstAttempt };

export interface Cluster {
  slurm: FakeSlurm;
  store: ArtifactStore;
  /** Folder of the first attempt. */
  folder: string;
}

/** A cluster on which the first attempt is prepared (its folder is made), and nothing more. */
export async function cluster(): Promise<Cluster> {
  const store = new ArtifactStore(await temporaryFolder());
  const folder = paths.attempt(store.root, run, 'sft', 1);
  await mkdir(folder, { recursive: true });
  return { slurm: new FakeSlurm(), store, folder };
}

/** Activities of a worker that has just started; `environment` is that of all of them. */
export function worker({ slurm, store, folder }: Cluster, environment = activityEnvironment()) {
  const poller = new JobPoller(slurm, { intervalMs: 45_000, maxBackoffMs: 60_000, random: () => 0.5 });
  const job = { python: '/python', script: '#!/bin/bash\n', userName: 'critic', fileIntervalMs: 500 };
  const all = { store, slurm, poller, accounting: new Accounting(slurm), job, models: {} };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = all as unknown as JobDeps;
  const activities = translatedAll({
    ...createAttemptActivities(deps),
    ...createSubmissionActivities(deps),
    ...createWatchActivities(deps),
    ...createCollectActivities(deps),
    ...createCancelActivities(deps),
  });
  const doing = async <T>(work: () => Promise<T>) => inActivity(environment.env, work);
  const prepared = { name, directory: folder, attempt: 1 };
  const known = { state: 'RUNNING', told: [] };
  return {
    prepare: async (changed = input) => doing(() => activities.prepareAttempt(changed)),
    submit: async () => doing(() => activities.submitJob(input)),
    watch: async (jobId: string, knows: { state: string; told: string[]; stuck?: string } = known) => {
      const { stage, watch } = order;
      const asked = { attempt: prepared, jobId, stage, totalSteps: 10, watch, known: knows };
      return doing(() => activities.watchJob(asked)).finally(() => poller.close());
    },
    collect: async (jobId: string, changed = order) =>
      doing(() => activities.collectAttempt({ order: changed, prepared, jobId })),
    publish: async () =>
      doing(() => activities.publishJob({ order, attempt: 1, attempts: [name], gpuHours: 1, seconds: 60 })),
    cancel: async (of = name) => doing(() => activities.cancelJob({ name: of })),
  };
}

/** What a job leaves in its folder: all that a job that has done its ten steps leaves, but for what is said. */
export interface Leaves {
  /** Text of the metrics, or how many rows. */
  metrics?: string | number;
  /** Undefined: none. */
  outcome?: object | string | undefined;
  result?: object | string | undefined;
  hasOutput?: boolean;
}

export const outcome = {
  schema: 1,
  name,
  job_id: '7',
  host: 'n1',
  exit_code: 0,
  signal: null,
  started_at: '2026-11-24T00:00:00Z',
  ended_at: '2026-11-24T00:01:00Z',
};

export const result = {
  schema: 1,
  name,
  kind: 'sft',
  steps_planned: 10,
  steps_done: 10,
  first_step: 1,
  resumed_from_step: null,
  finite: true,
  rows: null,
  seconds: 60,
};

/** Row of metrics. */
export const row = (step: number) => `${JSON.stringify({ step, time: step, loss: 1 / step, total_steps: 10 })}\n`;

export async function leave(folder: string, leaves: Leaves = {}): Promise<void> {
  const all = { metrics: 10, outcome, result, hasOutput: true, ...leaves };
  await mkdir(join(folder, 'claim'), { recursive: true });
  const { metrics } = all;
  const rows = typeof metrics === 'number' ? Array.from({ length: metrics }, (_, i) => row(i + 1)).join('') : metrics;
  await appendFile(join(folder, 'metrics.jsonl'), rows);
  if (all.hasOutput) {
    await mkdir(join(folder, 'output'), { recursive: true });
    await writeFile(join(folder, 'output/config.json'), '{}');
  }
  if (all.result !== undefined) await replace(join(folder, 'result.json'), all.result);
  if (all.outcome !== undefined) await replace(join(folder, 'outcome.json'), all.outcome);
}

async function replace(path: string, value: object | string): Promise<void> {
  await writeFile(`${path}.tmp`, typeof value === 'string' ? value : JSON.stringify(value));
  await rename(`${path}.tmp`, path);
}

/** Is there anything at this path? */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
