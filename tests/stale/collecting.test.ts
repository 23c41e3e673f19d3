import { existsSync } from 'node:fs';
import { appendFile, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SlurmClient } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { Accounting } from '../../activities/jobs/accounting.ts';
import { readMetrics } from '../../activities/jobs/attempt-metrics.ts';
import { createCollectActivities } from '../../activities/jobs/collecting.ts';
import type { JobPoller } from '../../activities/jobs/watching/job-poller.ts';
import { createWatchActivities } from '../../activities/jobs/watching/watching.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { activityEnvironment, inActivity } from '../activities/fixtures.ts';
import { viewed } from './view.ts';

const name = 'critic-demo-20261124-000000-sft-a1';
const watch = { stall_factor: 10, stall_seconds: 600, first_row_seconds: 3600, checkpoint_seconds: 180 };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only these fields are read
const order = {
  stage: 'sft',
  planned: { steps: 3, rows: null },
  resources: { nodes: 1, gpus_per_node: 1 },
} as unknown as JobOrder;

/** Slurm's word of a job that is over. */
function slurm(state: string): SlurmClient {
  const times = { startTime: new Date(0), endTime: new Date(10_000) };
  const job = { id: '7', name, state, flags: [], nodes: ['n1'], reason: '', exit: {}, restartCount: 0, ...times };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only these are called
  return { getJob: async () => job, accountingJobs: async () => [] } as unknown as SlurmClient;
}

const collect = (directory: string, state: string) => {
  const client = slurm(state);
  return inActivity(activityEnvironment().env, () =>
    createCollectActivities({ slurm: client, accounting: new Accounting(client) }).collectAttempt({
      order,
      prepared: { name, directory, attempt: 1 },
      jobId: '7',
    }),
  );
};

async function steps(directory: string, ...numbers: number[]): Promise<void> {
  for (const step of numbers) await appendFile(join(directory, 'metrics.jsonl'), `{"step":${step},"time":${step}}\n`);
}

async function replace(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.tmp`, JSON.stringify(value));
  await rename(`${path}.tmp`, path);
}

async function outcome(directory: string, code: number): Promise<void> {
  const times = { started_at: '2026-11-24T00:00:00Z', ended_at: '2026-11-24T00:01:00Z' };
  const host = { job_id: '7', host: 'n1', exit_code: code, signal: null };
  await replace(join(directory, 'outcome.json'), { schema: 1, name, ...host, ...times });
}

/** What a job that does its three steps leaves, in the order in which it does. */
async function finish(directory: string): Promise<void> {
  await mkdir(join(directory, 'claim'), { recursive: true });
  await mkdir(join(directory, 'output'), { recursive: true });
  await writeFile(join(directory, 'output/config.json'), '{}');
  await steps(directory, 1, 2, 3);
  const done = { steps_planned: 3, steps_done: 3, first_step: 1, resumed_from_step: null };
  const result = { schema: 1, name, kind: 'sft', finite: true, rows: null, seconds: 1, ...done };
  await replace(join(directory, 'result.json'), result);
  await outcome(directory, 0);
}

describe('a job on another machine, seen late', () => {
  it('that has finished is collected as done, though its outcome was asked for by name before it was there', async () => {
    const { real, view } = viewed(15, 'view');
    for (const path of ['outcome.json', 'result.json', 'output', 'metrics.jsonl'])
      expect(existsSync(join(view, path))).toBe(false);
    await finish(real);
    expect(await collect(view, 'COMPLETED')).toMatchObject({ jobClass: 'completed', progress: 3 });
  });

  it('is watched without being asked for by name: its end is noticed within seconds, and it is collected at once', async () => {
    const { real, view } = viewed(60, 'view');
    const polled = { kind: 'known', job: { state: 'RUNNING', flags: [], nodes: ['n1'], reason: '', restartCount: 0 } };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only these are called
    const poller = {
      watch: () => ({ state: () => polled, hurry: () => undefined, close: () => undefined }),
    } as unknown as JobPoller;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this is read
    const job = { fileIntervalMs: 100 } as Parameters<typeof createWatchActivities>[0]['job'];
    const { env, heartbeats } = activityEnvironment();
    const watching = inActivity(env, () =>
      createWatchActivities({ poller, job }).watchJob({
        attempt: { name, directory: view, attempt: 1 },
        jobId: '7',
        stage: 'sft',
        totalSteps: 3,
        watch,
        known: { state: 'RUNNING', told: [] },
      }),
    );
    await sleep(1_000);
    const startedAt = performance.now();
    await finish(real);
    expect(await watching).toMatchObject({ over: true });
    expect(heartbeats.length).toBeGreaterThan(5);
    expect(await collect(view, 'COMPLETED')).toMatchObject({ jobClass: 'completed', progress: 3 });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('whose node failed is resumed from a checkpoint that this machine has not seen yet', async () => {
    const { real, view } = viewed(10, 'view');
    expect(existsSync(join(view, 'checkpoints'))).toBe(false);
    await mkdir(join(real, 'claim'));
    await steps(real, 1, 2);
    await mkdir(join(real, 'checkpoints/checkpoint-2'), { recursive: true });
    await outcome(real, 71);
    expect(await collect(view, 'NODE_FAIL')).toMatchObject({
      jobClass: 'node-failed',
      checkpoint: join(view, 'checkpoints/checkpoint-2'),
    });
  });

  it('leaves its outcome after Slurm has called it over: it is waited for', async () => {
    const { real, view } = viewed(60, 'view');
    await mkdir(join(real, 'claim'));
    setTimeout(() => void finish(real), 5_000);
    expect(await collect(view, 'COMPLETED')).toMatchObject({ jobClass: 'completed' });
  });

  it('that never began is judged at once: it has left nothing that could be under way', async () => {
    const { view } = viewed(60, 'view');
    const startedAt = performance.now();
    expect(await collect(view, 'NODE_FAIL')).toMatchObject({ jobClass: 'node-failed', checkpoint: null });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('shows all the rows of its metrics, though their file was looked at when it was shorter', async () => {
    const { real, view } = viewed(60, 'view');
    await steps(real, 1);
    expect(await readMetrics(view)).toHaveLength(1);
    expect((await stat(join(view, 'metrics.jsonl'))).size).toBeLessThan(30);
    await finish(real);
    expect(await collect(view, 'COMPLETED')).toMatchObject({ jobClass: 'completed', progress: 3 });
  });
});
