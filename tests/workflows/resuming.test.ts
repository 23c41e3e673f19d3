/** A run that goes on where another one ended. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { firstAttempt } from '../../domain/jobs/job-spec.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { taskQueues } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { artifact, completed, histories, plan, stubs, until, withWorkers } from './harness.ts';

const startPlan = async (client: Client, given: RunPlan, historyEvents = 2000) =>
  client.workflow.start<typeof trainCritic>('trainCritic', {
    workflowId: given.run,
    taskQueue: taskQueues.workflows,
    args: [given, { historyEvents, roundSeconds: 2 }],
  });

const left = {
  attempts: ['critic-old-20261124-000000-sft-a1', 'critic-old-20261124-000000-sft-a2'],
  checkpoint: '/store/runs/old-20261124-000000/jobs/sft/a2/checkpoints/checkpoint-6',
  progress: 6,
  gpuHours: 1.5,
  changes: { memoryFactor: 1.5, timeLimitMinutes: null, microBatchHalvings: 1 },
};

/** Earlier runs have left this of SFT, and nothing of other stages. */
const leftOfSft: Activities['findEarlierAttempts'] = async ({ order }) =>
  order.stage === 'sft' ? left : { attempts: [], checkpoint: null, progress: 0, gpuHours: 0, changes: null };

describe('a run that resumes another one', () => {
  it('reuses what is finished, goes on from the checkpoint of what is not, and stitches its attempts to the earlier ones', async () => {
    const prepared: Record<string, unknown> = {};
    const published: Record<string, unknown> = {};
    const { activities, calls } = stubs({
      lookUpArtifact: async ({ stage }) =>
        stage === 'predict-base'
          ? { key: 'k', artifact: { ...artifact('predict-base'), reused: true } }
          : { key: `key-${stage}` },
      findEarlierAttempts: leftOfSft,
      prepareAttempt: async ({ order, attempt, changes }) => {
        prepared[order.stage] = changes;
        return { name: `critic-${order.run}-${order.stage}-a${attempt}`, directory: '/a', attempt };
      },
      collectAttempt: async () => ({ ...completed, gpuHours: 0.5 }),
      publishJob: async ({ order, attempts, gpuHours }) => {
        published[order.stage] = { attempts, gpuHours };
        return artifact(order.stage);
      },
    });
    const run = 'wf-resumed';
    await withWorkers(activities, run, async (client) => {
      const handle = await startPlan(client, { ...plan(run), resumes: 'old-20261124-000000' });
      expect(await handle.result()).toMatchObject({ passed: true, reused: ['predict-base'] });
    });
    expect(prepared).toEqual({
      sft: { ...firstAttempt, ...left.changes, resumeFrom: left.checkpoint },
      grpo: firstAttempt,
      'predict-sft': firstAttempt,
      'predict-grpo': firstAttempt,
    });
    expect(published['sft']).toEqual({ attempts: [...left.attempts, `critic-${run}-sft-a1`], gpuHours: 2 });
    expect(published['grpo']).toEqual({ attempts: [`critic-${run}-grpo-a1`], gpuHours: 0.5 });
    // Nothing of the earlier run works any more when the first job begins.
    expect(calls.indexOf('endEarlierJobs')).toBeGreaterThan(-1);
    expect(calls.indexOf('endEarlierJobs')).toBeLessThan(calls.findIndex((call) => call.startsWith('lookUpArtifact')));
    expect(calls.filter((call) => call === 'endEarlierJobs')).toHaveLength(1);
  });

  it('waits while that one goes on, and goes on by itself when it has ended', async () => {
    let tries = 0;
    const endEarlierJobs = async () => {
      tries += 1;
      if (tries < 4) throw ApplicationFailure.create({ type: 'EarlierRunOpen', message: 'run "old" goes on' });
      return { ended: [] };
    };
    const { activities } = stubs({ endEarlierJobs });
    const run = 'wf-resumed-early';
    await withWorkers(activities, run, async (client) => {
      const handle = await startPlan(client, { ...plan(run), resumes: 'old' });
      const waiting = await until(
        () => handle.query<RunView>('view'),
        ({ status }) => status === 'waiting',
      );
      expect(waiting.stages[0]).toMatchObject({ stage: 'dataset', status: 'waiting', note: 'run "old" goes on' });
      expect(waiting.questions).toEqual([]);
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });

  it('takes over once, also where it continues as new meanwhile', async () => {
    const gate = Promise.withResolvers<void>();
    const { activities, calls } = stubs({
      findEarlierAttempts: leftOfSft,
      watchJob: async (input) => {
        if (input.stage === 'sft') await Promise.race([gate.promise, watchForever()]);
        return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
      },
    });
    const run = 'wf-resumed-cut';
    await withWorkers(activities, run, async (client) => {
      const handle = await startPlan(client, { ...plan(run), resumes: 'old-20261124-000000' }, 60);
      await until(
        async () => (await histories(client, run)).length,
        (count) => count > 1,
      );
      gate.resolve();
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(calls.filter((call) => call === 'endEarlierJobs')).toHaveLength(1);
    expect(calls.filter((call) => call === 'submitJob sft a1')).toHaveLength(1);
  });
});

async function watchForever(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(50);
  }
}
