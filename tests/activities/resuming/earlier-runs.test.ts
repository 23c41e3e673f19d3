/** What a run takes over from those that it resumes, on a Slurm in memory and files that jobs left. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { translatedAll } from '../../../activities/failure.ts';
import { Accounting } from '../../../activities/jobs/accounting.ts';
import { createAttemptActivities } from '../../../activities/jobs/attempts.ts';
import { createEarlierRunActivities } from '../../../activities/resuming/earlier-runs.ts';
import { firstAttempt } from '../../../domain/jobs/job-spec.ts';
import { attemptName, paths } from '../../../domain/names.ts';
import { inActivity, makePlan, rejection } from '../fixtures.ts';
import { type Cluster, cluster, leave, order as anOrder, outcome, row } from '../jobs/job-worker.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from '../jobs/moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('../jobs/moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('../jobs/moments.ts')).virtualTimers);

useVirtualTime();

const [a, b, c] = ['demo-20261124-000001', 'demo-20261124-000002', 'demo-20261124-000003'];
const order = { ...anOrder, run: c };

let at: Cluster;
/** Temporal's status of each run; absent: it knows no such run. */
let status: Record<string, string>;
/** Plans as runs were started with. */
let started: Record<string, object>;
beforeEach(async () => {
  at = await cluster();
  status = { [a]: 'TERMINATED', [b]: 'CANCELLED' };
  started = {};
});

function activities() {
  const notFound = (run: string) => new WorkflowNotFoundError('not found', run, undefined);
  const getHandle = (run: string) => ({
    describe: async () => {
      if (status[run] === undefined) throw notFound(run);
      return { status: { name: status[run] } };
    },
  });
  const getWorkflowExecutionHistory = async ({ execution: { workflowId } }: { execution: { workflowId: string } }) => {
    const plan = started[workflowId];
    if (plan === undefined) throw notFound(workflowId);
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(plan)) };
    return { history: { events: [{ workflowExecutionStartedEventAttributes: { input: { payloads: [payload] } } }] } };
  };
  const withAbortSignal = (_signal: AbortSignal, work: () => unknown) => work();
  const own = {
    workflow: { getHandle },
    workflowService: { getWorkflowExecutionHistory },
    options: {},
    withAbortSignal,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = own as unknown as Client;
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const { slurm, store } = at;
  const all = { store, slurm, accounting: new Accounting(slurm), job: { userName: 'critic' }, models: {} };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = all as unknown as Parameters<typeof createEarlierRunActivities>[0] &
    Parameters<typeof createAttemptActivities>[0];
  const made = translatedAll({ ...createEarlierRunActivities(deps), ...createAttemptActivities(deps) });
  return {
    end: (resumes: string) => inActivity(environment, () => made.endEarlierJobs({ resumes, seconds: 30 })),
    find: (resumes: string) => inActivity(environment, () => made.findEarlierAttempts({ resumes, order })),
    prepare: (run: string, attempt: number, changed: object) =>
      inActivity(environment, () =>
        made.prepareAttempt({
          order: { ...order, run, ...changed },
          attempt,
          changes: { ...firstAttempt, ...changed },
        }),
      ),
  };
}

async function planned(run: string, resumes?: string) {
  const plan = { ...makePlan('/data', {}, run), ...(resumes === undefined ? {} : { resumes }) };
  await mkdir(paths.run(at.store.root, run), { recursive: true });
  await writeFile(join(paths.run(at.store.root, run), 'plan.json'), JSON.stringify(plan));
}

/** An attempt of SFT that did so many steps and has these checkpoints. */
async function attempted(run: string, attempt: number, steps: number, checkpoints: number[], changed = {}) {
  const folder = paths.attempt(at.store.root, run, 'sft', attempt);
  await lived(() => activities().prepare(run, attempt, changed));
  const ended = { ...outcome, name: attemptName(run, 'sft', attempt), exit_code: 85 };
  const metrics = Array.from({ length: steps }, (_, index) => row(index + 1)).join('');
  await leave(folder, { metrics, outcome: ended, result: undefined, hasOutput: false });
  for (const step of checkpoints) await mkdir(join(folder, `checkpoints/checkpoint-${step}`), { recursive: true });
  return folder;
}

const find = (resumes: string) => lived(() => activities().find(resumes));
const end = (resumes: string) => lived(() => activities().end(resumes));
const name = (run: string, attempt: number) => attemptName(run, 'sft', attempt);

describe('a run that resumes another one', () => {
  it('goes on from the newest complete checkpoint, and counts what all attempts took', async () => {
    await planned(a);
    await attempted(a, 1, 4, [2, 4]);
    const folder = await attempted(a, 2, 7, [6], { memoryFactor: 1.5, microBatchHalvings: 1 });
    // One that was not whole when its job was killed has no name of a checkpoint yet.
    await mkdir(join(folder, 'checkpoints/.checkpoint-7.tmp'), { recursive: true });
    await mkdir(join(folder, 'work/checkpoint-7'), { recursive: true });
    expect(await find(a)).toEqual({
      attempts: [name(a, 1), name(a, 2)],
      checkpoint: join(folder, 'checkpoints/checkpoint-6'),
      progress: 6,
      gpuHours: 2 / 60,
      changes: { memoryFactor: 1.5, timeLimitMinutes: null, microBatchHalvings: 1 },
    });
  });

  it('goes on from an older attempt where the newest has no checkpoint', async () => {
    await planned(a);
    const folder = await attempted(a, 1, 4, [4]);
    await attempted(a, 2, 5, []);
    expect(await find(a)).toMatchObject({ checkpoint: join(folder, 'checkpoints/checkpoint-4'), progress: 4 });
  });

  it('takes nothing of another key, nor of attempts that do not say their key', async () => {
    await planned(a);
    await attempted(a, 1, 4, [4], { key: 'other' });
    const folder = await attempted(a, 2, 4, [4]);
    await rm(join(folder, 'key.json'));
    expect(await find(a)).toEqual({ attempts: [], checkpoint: null, progress: 0, gpuHours: 0, changes: null });
  });

  it('takes no checkpoint after which no step is left: the engine makes no model of it', async () => {
    await planned(a);
    const folder = await attempted(a, 1, 10, [8, 10]);
    expect(await find(a)).toMatchObject({ checkpoint: join(folder, 'checkpoints/checkpoint-8'), progress: 8 });
  });

  it('finds what the run before the one before left, also where the one between never got so far', async () => {
    await planned(a);
    await attempted(a, 1, 4, [4]);
    // It was terminated before it was prepared: only Temporal knows its plan.
    started[b] = { ...makePlan('/data', {}, b), resumes: a };
    expect((await find(b)).attempts).toEqual([name(a, 1)]);
    await planned(b, a);
    const folder = await attempted(b, 1, 7, [6]);
    expect(await find(b)).toMatchObject({
      attempts: [name(a, 1), name(b, 1)],
      checkpoint: join(folder, 'checkpoints/checkpoint-6'),
    });
  });

  it('takes a run that nobody knows for one that left nothing', async () => {
    expect((await find('demo-20261124-000009')).attempts).toEqual([]);
  });

  it('refuses a plan that it cannot read', async () => {
    await planned(a);
    await writeFile(join(paths.run(at.store.root, a), 'plan.json'), '{"schema":2}');
    expect(await rejection(find(a))).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
  });
});

describe('jobs of earlier runs', () => {
  const running = async (run: string, attempt = 1) => {
    const folder = await attempted(run, attempt, 4, [4]);
    await rm(join(folder, 'outcome.json'));
    const { id } = at.slurm.create(name(run, attempt), folder);
    at.slurm.change(id, { state: 'RUNNING' });
    return id;
  };

  it('are asked for a checkpoint and are gone before anything goes on, through the whole chain', async () => {
    await planned(a);
    await planned(b, a);
    const ids = [await running(a), await running(b)];
    at.slurm.onAsk = (id) => void setTimeout(() => at.slurm.end(id, 'FAILED'), 5_000);
    expect(await end(b)).toEqual({ ended: [name(a, 1), name(b, 1)] });
    expect(at.slurm.asked.filter((what) => what.startsWith('cancel'))).toEqual([]);
    for (const id of ids) expect(at.slurm.asked).toContain(`USR2 ${id}`);
    expect(at.slurm.jobs.map(({ state }) => state)).toEqual(['FAILED', 'FAILED']);
  });

  it('are cancelled where they do not go, and no others', async () => {
    await planned(a);
    const id = await running(a);
    at.slurm.create(attemptName('demo-20261124-000007', 'sft', 1));
    expect(await end(a)).toEqual({ ended: [name(a, 1)] });
    expect(at.slurm.asked.filter((what) => what.startsWith('cancel'))).toEqual([`cancel ${id}`]);
  });

  it('that Slurm creates late, of a submission whose answer never came, find their attempt closed', async () => {
    await planned(a);
    await lived(() => activities().prepare(a, 1, {}));
    const folder = paths.attempt(at.store.root, a, 'sft', 1);
    await writeFile(join(folder, 'submission.json'), '{"state":"intended","since":"2026-11-24T00:00:00Z"}');
    await end(a);
    at.slurm.create(name(a, 1), folder);
    await at.slurm.schedule();
    expect(at.slurm.worked).toEqual([]);
  });

  it('are left alone while their run goes on, and the new run waits', async () => {
    await planned(a);
    await running(a);
    status[a] = 'RUNNING';
    expect(await rejection(end(a))).toMatchObject({
      type: 'EarlierRunOpen',
      nonRetryable: false,
      message: `run "${a}" goes on, so nothing can be taken over from it yet`,
    });
    expect(at.slurm.asked).toEqual([]);
  });

  it('of a run that this Temporal has forgotten are ended too', async () => {
    await planned(a);
    await running(a);
    status = {};
    expect(await end(a)).toEqual({ ended: [name(a, 1)] });
  });

  it('are gone, whenever the worker is killed', async () => {
    const begin = async () => {
      at = await cluster();
      await planned(a);
      await running(a);
      await lived(() => activities().prepare(a, 2, {}));
    };
    await begin();
    const effects = await effectsOf(() => activities().end(a));
    expect(effects.length).toBeGreaterThan(2);
    for (const moment of effects.keys()) {
      await begin();
      await killedAt(moment, () => activities().end(a));
      await end(a);
      expect(at.slurm.jobs.map(({ state }) => state)).toEqual(['CANCELLED']);
    }
  });
});
