/** Orphans: jobs of runs that are over are found and cancelled; all others are left alone. */
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createOrphanActivities } from '../../../activities/jobs/orphans.ts';
import { attemptName } from '../../../domain/names.ts';
import { inActivity, rejection } from '../fixtures.ts';
import { job } from './fake-slurm.ts';
import { type Cluster, cluster, worker } from './job-worker.ts';
import { killedAt, lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

/** What Temporal knows of runs. */
const runs: Record<string, string> = {
  live: 'RUNNING',
  paused: 'PAUSED',
  done: 'COMPLETED',
  failed: 'FAILED',
  cancelled: 'CANCELLED',
  terminated: 'TERMINATED',
  'timed-out': 'TIMED_OUT',
};

let at: Cluster;
let described: string[];
beforeEach(async () => {
  at = await cluster();
  described = [];
});

const submitted = (run: string, attempt = 1) => at.slurm.create(attemptName(run, 'sft', attempt));

async function find(): Promise<string[]> {
  const look = async (run: string) => {
    described.push(run);
    const name = runs[run];
    if (name === undefined) throw new WorkflowNotFoundError('not found', run, undefined);
    return { status: { name } };
  };
  const workflow = { getHandle: (run: string) => ({ describe: () => look(run) }) };
  const withAbortSignal = (_signal: AbortSignal, work: () => unknown) => work();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = { workflow, withAbortSignal } as unknown as Client;
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const deps = { slurm: at.slurm, job: { userName: 'critic' } };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const activities = createOrphanActivities(deps as unknown as Parameters<typeof createOrphanActivities>[0]);
  return lived(() => inActivity(environment, () => activities.findOrphans()));
}

describe('a job', () => {
  it.each(['live', 'paused'])('of a run that is %s is left alone', async (run) => {
    submitted(run);
    expect(await find()).toEqual([]);
  });

  it.each(['done', 'failed', 'cancelled', 'terminated', 'timed-out'])(
    'of a run that is %s is an orphan',
    async (run) => {
      const { name } = submitted(run);
      expect(await find()).toEqual([name]);
    },
  );

  it('of a run that this Temporal does not know is left alone: it may be another one’s', async () => {
    submitted('unheard-of');
    expect(await find()).toEqual([]);
  });

  it.each(['train', 'critic-done', 'critic-done-sft', 'critic-done-mix-a1', 'my-critic-done-sft-a1'])(
    'by the name of "%s" is not ours, and Temporal is not asked about it',
    async (name) => {
      at.slurm.create(name);
      expect(await find()).toEqual([]);
      expect(described).toEqual([]);
    },
  );

  it('of another user is not ours, whatever its name', async () => {
    at.slurm.jobs.push(job('3', { name: attemptName('done', 'sft', 1), userName: 'somebody' }));
    expect(await find()).toEqual([]);
  });

  it('that is over is no orphan; one that is completing still has its node', async () => {
    at.slurm.end(submitted('done').id, 'CANCELLED');
    const { id, name } = submitted('failed');
    at.slurm.change(id, { state: 'CANCELLED', flags: ['COMPLETING'] });
    expect(await find()).toEqual([name]);
  });
});

describe('orphans', () => {
  it('of one run cost one question to Temporal, and are named once', async () => {
    const names = [submitted('done', 1), submitted('done', 2), submitted('done', 2)].map(({ name }) => name);
    expect(await find()).toEqual([...new Set(names)]);
    expect(described).toEqual(['done']);
  });

  it('are not guessed while Slurm does not answer', async () => {
    submitted('done');
    at.slurm.down = true;
    expect(await rejection(find())).toMatchObject({ message: expect.stringContaining('does not answer') });
  });

  it('are cancelled beside one that does not go', async () => {
    const [stuck, ...others] = ['done', 'failed', 'terminated'].map((run) => submitted(run));
    at.slurm.onSignal = (id) => (id === stuck?.id ? 'accepted' : at.slurm.end(id, 'CANCELLED'));
    const names = await find();
    const ends = await lived(() => Promise.allSettled(names.map((name) => worker(at).cancel(name))));
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await find()).toEqual([stuck?.name]);
    expect(others).toHaveLength(2);
  });

  it('whose cancel was killed before its signal was sent are found and cancelled at the next look', async () => {
    const { name } = submitted('terminated');
    await killedAt(0, () => worker(at).cancel(name));
    expect(await find()).toEqual([name]);
    expect(await lived(() => worker(at).cancel(name))).toEqual({ jobId: '7' });
    expect(await find()).toEqual([]);
  });
});
