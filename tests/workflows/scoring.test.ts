/** Scoring as a workflow on a real Temporal server: one job, which is resumed and cancelled like that of a run. */
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { completed, plan, stubs, until, withWorkers } from './harness.ts';
import { forever } from './nights.ts';
import { orderOf, start } from './scorings.ts';
import { look } from './working-jobs.ts';

describe('scorePairs', () => {
  it('goes on from the checkpoint of a job that was killed', async () => {
    const { activities, calls } = stubs({
      collectAttempt: async ({ prepared }) =>
        prepared.attempt === 1
          ? { ...completed, jobClass: 'killed', evidence: 'signal 9', checkpoint: '/c/checkpoint-2', progress: 2 }
          : completed,
    });
    const id = 'wf-score-killed';
    const changes: unknown[] = [];
    const whole: Activities = {
      ...activities,
      prepareAttempt: async (input) => {
        changes.push(input.changes.resumeFrom);
        return activities.prepareAttempt(input);
      },
    };
    await withWorkers(whole, id, async (client) => {
      await (await start(client, orderOf(id))).result();
    });
    expect(changes).toEqual([null, '/c/checkpoint-2']);
    expect(calls.filter((call) => call.startsWith('submitJob'))).toHaveLength(2);
  });

  it('ends at once where there is no such critic, or no pair to ask about', async () => {
    const id = 'wf-score-refused';
    const { activities, calls } = stubs({
      prepareScoring: async () => {
        throw ApplicationFailure.nonRetryable('pairs: expected at least one', 'DataInvalid');
      },
    });
    await withWorkers(activities, id, async (client) => {
      const handle = await start(client, orderOf(id));
      await expect(handle.result()).rejects.toMatchObject({
        cause: { cause: { message: 'pairs: expected at least one' } },
      });
    });
    expect(calls).toEqual(['prepareScoring']);
  });

  it('cancels its job when it is cancelled', async () => {
    const id = 'wf-score-cancelled';
    const { activities, calls } = stubs({ watchJob: forever });
    await withWorkers(activities, id, async (client) => {
      const handle = await start(client, orderOf(id));
      await until(async () => calls.includes('watchJob predict-pairs'), Boolean);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow('cancelled');
      expect((await look(client, id)).status).toBe('cancelled');
    });
    expect(calls.some((call) => call.startsWith('cancelJob'))).toBe(true);
  });

  it('goes on where a scoring ended early that it resumes', async () => {
    const id = 'wf-score-resumed';
    const base = stubs({});
    const { activities, calls } = stubs({
      prepareScoring: async ({ order }) => ({
        ...(await base.activities.prepareScoring({ order })),
        plan: { ...plan(order.id), resumes: 'score-old' },
      }),
      findEarlierAttempts: async () => ({
        attempts: ['critic-score-old-predict-pairs-a1'],
        checkpoint: '/old/checkpoint-2',
        progress: 2,
        gpuHours: 0,
        changes: null,
      }),
    });
    await withWorkers(activities, id, async (client) => {
      await (await start(client, orderOf(id, { resumes: 'score-old' }))).result();
    });
    expect(calls).toContain('endEarlierJobs');
    expect(calls.indexOf('endEarlierJobs')).toBeLessThan(calls.findIndex((call) => call.startsWith('submitJob')));
    expect(calls).toContain('findEarlierAttempts predict-pairs');
  });

  it('continues as new while its job is watched, and knows what it was', async () => {
    const id = 'wf-score-continued';
    let looks = 0;
    const { activities, calls } = stubs({
      watchJob: async ({ known }) => {
        looks += 1;
        await new Promise((resolve) => setTimeout(resolve, 30));
        return {
          state: looks % 2 === 0 ? 'PENDING' : 'RUNNING',
          reason: known.state,
          node: '',
          over: looks > 30,
        };
      },
    });
    await withWorkers(activities, id, async (client) => {
      const handle = await start(client, orderOf(id), 60);
      expect(await handle.result()).toMatchObject({ scored: 3 });
      expect((await handle.describe()).runId).not.toBe(handle.firstExecutionRunId);
    });
    expect(calls.filter((call) => call === 'prepareScoring')).toHaveLength(1);
    expect(calls.filter((call) => call.startsWith('submitJob'))).toHaveLength(1);
  });
});
