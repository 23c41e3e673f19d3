/** Two runs that need the same artifact: one makes it. */
import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { taskQueues } from '../../domain/names.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { artifact, completed, histories, plan, start, stubs, until, withWorkers } from './harness.ts';

/** Claims as the store keeps them, for SFT only. */
function shared() {
  const maker: { run?: string } = {};
  let isMade = false;
  const lookUpArtifact: Activities['lookUpArtifact'] = async ({ stage, run }) => {
    const key = `key-${stage}`;
    if (stage !== 'sft' || run === undefined) return { key };
    if (isMade) return { key, artifact: { ...artifact('sft'), reused: true } };
    maker.run ??= run;
    return maker.run === run ? { key, claimed: true } : { key, heldBy: maker.run };
  };
  return { maker, lookUpArtifact, made: () => (isMade = true), free: () => delete maker.run };
}

const lineOf = async (client: Client, run: string) =>
  (await client.workflow.getHandle(run).query<RunView>('view')).stages.find(({ stage }) => stage === 'sft');

describe('two runs that need the same artifact', () => {
  it.each([2000, 10])('make it once: the other one waits and takes it (cut at %i events)', async (historyEvents) => {
    const claims = shared();
    const gate = Promise.withResolvers<void>();
    const { activities, calls } = stubs({
      lookUpArtifact: claims.lookUpArtifact,
      awaitArtifact: async () => gate.promise,
      publishJob: async ({ order }) => {
        if (order.stage === 'sft') claims.made();
        return artifact(order.stage);
      },
    });
    const runs = [`wf-shares-b-${historyEvents}`, `wf-shares-a-${historyEvents}`];
    const [waits = '', makes = ''] = runs;
    claims.maker.run = makes;
    await withWorkers(activities, runs, async (client) => {
      const waiting = await start(client, waits, {}, { historyEvents });
      const line = await until(
        () => lineOf(client, waits),
        (seen) => seen?.note !== undefined,
      );
      expect(line).toMatchObject({ status: 'running', note: `run ${makes} makes it` });
      await (await start(client, makes)).result();
      gate.resolve();
      expect(await waiting.result()).toMatchObject({ passed: true, reused: ['sft'] });
      expect((await histories(client, waits)).length > 1).toBe(historyEvents < 2000);
    });
    expect(calls.filter((call) => call.startsWith('submitJob sft'))).toHaveLength(1);
  });

  it('make it one after the other if the first one is over before it is made', async () => {
    const claims = shared();
    claims.maker.run = 'terminated-run';
    const { activities, calls } = stubs({
      lookUpArtifact: claims.lookUpArtifact,
      awaitArtifact: async () => {
        claims.free();
      },
    });
    const run = 'wf-shares-over';
    await withWorkers(activities, run, async (client) => {
      expect(await (await start(client, run)).result()).toMatchObject({ passed: true, reused: [] });
    });
    expect(calls.filter((call) => call === 'submitJob sft a1')).toHaveLength(1);
  });

  it('do not wait for a stage that the first one skips', async () => {
    const freed: unknown[] = [];
    const { activities } = stubs({
      lookUpArtifact: async ({ stage }) => ({ key: `key-${stage}`, claimed: true }),
      freeArtifact: async (input) => {
        freed.push(input);
      },
      collectAttempt: async ({ order }) =>
        order.stage === 'predict-base' ? { ...completed, jobClass: 'bad-config', evidence: 'no' } : completed,
    });
    const run = 'wf-shares-skips';
    await withWorkers(activities, run, async (client) => {
      const handle = await client.workflow.start<typeof trainCritic>('trainCritic', {
        workflowId: run,
        taskQueue: taskQueues.workflows,
        args: [plan(run)],
      });
      await until(
        () => handle.query<RunView>('view'),
        ({ questions }) => questions.length > 0,
      );
      await handle.executeUpdate('answer', { args: [{ stage: 'predict-base', action: 'skip' }] });
      await handle.result();
    });
    expect(freed).toEqual([{ stage: 'predict-base', key: 'key-predict-base', run }]);
  });

  it('make it once where the first one rested: it waits for the other, and takes what that has made', async () => {
    const run = 'wf-shares-rested';
    const seen: unknown[] = [];
    let tries = 0;
    const { activities, calls } = stubs({
      prepareAttempt: async ({ order, attempt }) => {
        const prepared = { name: `critic-${order.run}-${order.stage}-a${attempt}`, directory: '/a', attempt };
        if (order.stage !== 'sft') return prepared;
        tries += 1;
        if (tries === 1) return { ...prepared, elsewhere: { heldBy: 'other' } };
        return { ...prepared, elsewhere: { artifact: { ...artifact('sft'), reused: true } } };
      },
      awaitArtifact: async (input) => void seen.push(input),
    });
    await withWorkers(activities, run, async (client) => {
      expect(await (await start(client, run)).result()).toMatchObject({ passed: true, reused: ['sft'] });
    });
    expect(seen).toMatchObject([{ stage: 'sft', heldBy: 'other' }]);
    expect(calls.filter((call) => call.startsWith('submitJob sft'))).toEqual([]);
  });
});
