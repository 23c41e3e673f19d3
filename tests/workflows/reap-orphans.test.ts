/** The reaper on a real Temporal server: orphans that go, and one that does not. */
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { CancelledJob } from '../../activities/jobs/cancelling.ts';
import { taskQueues } from '../../domain/names.ts';
import type { ReapLimits, reapOrphans } from '../../workflows/upkeep/reap-orphans.ts';
import { stubs, withWorkers } from './harness.ts';

const quick: ReapLimits = { cancelSeconds: 8, atOnce: 3, lookSeconds: 60 };
const gone: CancelledJob = { jobId: '7' };

/** Runs one look and gives what it returned; `after` runs once it has, before the worker is stopped. */
async function look(
  id: string,
  names: string[],
  cancelJob: (name: string) => Promise<CancelledJob>,
  { limits = quick, after }: { limits?: ReapLimits; after?: () => void } = {},
) {
  const { activities } = stubs({ findOrphans: async () => names, cancelJob: async ({ name }) => cancelJob(name) });
  let result: Awaited<ReturnType<typeof reapOrphans>> | undefined;
  await withWorkers(activities, id, async (client) => {
    result = await client.workflow.execute<typeof reapOrphans>('reapOrphans', {
      workflowId: id,
      taskQueue: taskQueues.workflows,
      args: [limits],
    });
    after?.();
  });
  return { cancelled: result?.cancelled.toSorted(), left: result?.left };
}

describe('the reaper', () => {
  it('names an orphan that is gone but whose attempt the store does not let it close', async () => {
    const reaped = await look('wf-reap-open', ['a', 'b'], async (name) =>
      name === 'a' ? { ...gone, notClosed: 'close a: EROFS' } : gone,
    );
    expect(reaped).toEqual({
      cancelled: ['b'],
      left: [{ name: 'a', why: 'cancelled, but Slurm may start it again: close a: EROFS' }],
    });
  });

  it('is held up neither by an orphan that does not go nor by one whose cancel never returns', async () => {
    const released = Promise.withResolvers<CancelledJob>();
    const names = ['a', 'stuck', 'b', 'silent', 'c', 'd'];
    const cancelJob = async (name: string) => {
      if (name === 'silent') return released.promise;
      if (name !== 'stuck') return gone;
      throw ApplicationFailure.retryable('still there (CANCELLED COMPLETING on n1)', 'SlurmUnavailable');
    };
    const reaped = await look('wf-reap-stuck', names, cancelJob, { after: () => released.resolve(gone) });
    expect(reaped.cancelled).toEqual(['a', 'b', 'c', 'd']);
    expect(reaped.left?.map(({ name }) => name).toSorted()).toEqual(['silent', 'stuck']);
    expect(reaped.left).toContainEqual({ name: 'stuck', why: 'still there (CANCELLED COMPLETING on n1)' });
  });

  it('cancels side by side, no more than so many at once', async () => {
    let now = 0;
    let most = 0;
    const names = Array.from({ length: 9 }, (_, index) => `orphan-${index}`);
    const reaped = await look('wf-reap-lanes', names, async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 200));
      now -= 1;
      return gone;
    });
    expect(reaped).toEqual({ cancelled: names, left: [] });
    expect(most).toBe(3);
  });

  it('begins no further orphan once its time is up, and names those for the next look', async () => {
    const reaped = await look('wf-reap-late', ['a', 'b'], async () => gone, {
      limits: { ...quick, lookSeconds: 0 },
    });
    const why = 'not reached in this look';
    expect(reaped.cancelled).toEqual([]);
    expect(reaped.left).toHaveLength(2);
    expect(reaped.left).toContainEqual({ name: 'a', why });
  });
});
