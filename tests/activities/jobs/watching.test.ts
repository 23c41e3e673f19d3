/** Watching a job that stays pending for a reason that nobody here has heard of. */
import { CancelledFailure } from '@temporalio/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { judgePendingReason } from '../../../domain/jobs/pending-reason.ts';
import { activityEnvironment, rejection } from '../fixtures.ts';
import { type Cluster, cluster, name, worker } from './job-worker.ts';
import { lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

const minute = 60_000;
let at: Cluster;
beforeEach(async () => {
  at = await cluster();
  at.slurm.create(name, at.folder);
});

/** Watches a pending job that the workflow knows as such, and was perhaps told to be stuck; broken off after so many minutes. */
async function watch(minutes: number, stuck?: string) {
  const environment = activityEnvironment();
  const known = { state: 'PENDING', told: [], ...(stuck === undefined ? {} : { stuck }) };
  setTimeout(() => environment.env.cancel(), minutes * minute);
  return lived(() => worker(at, environment).watch('7', known));
}

describe('a job that is pending', () => {
  it('for an unknown reason is told as stuck after a quarter of an hour, not before', async () => {
    at.slurm.change('7', { reason: 'PartitionConfig' });
    const startedAt = Date.now();
    const seen = await watch(20);
    expect(seen).toMatchObject({ over: false, stuck: expect.stringContaining('pending (PartitionConfig)') });
    expect((Date.now() - startedAt) / minute).toBeGreaterThanOrEqual(15);
    expect((Date.now() - startedAt) / minute).toBeLessThan(15.1);
  });

  it('and was told as stuck stays so for the next watcher', async () => {
    at.slurm.change('7', { reason: 'PartitionConfig' });
    const told = judgePendingReason('PartitionConfig', 15 * minute);
    const seen = watch(20, told.kind === 'stuck' ? told.sentence : '');
    expect(await rejection(seen)).toBeInstanceOf(CancelledFailure);
  });

  it('for one unknown reason after another is not told while none of them lasts', async () => {
    at.slurm.change('7', { reason: 'OneNewReason' });
    setTimeout(() => at.slurm.change('7', { reason: 'AnotherNewReason' }), 10 * minute);
    expect(await rejection(watch(20))).toBeInstanceOf(CancelledFailure);
  });
});
