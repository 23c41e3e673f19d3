/** When stages begin: as soon as what they are made from is there, and not before. */
import { describe, expect, it } from 'vitest';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import type { Stage } from '../../domain/names.ts';
import { artifact, completed, histories, start, stubs, until, withWorkers } from './harness.ts';

const over = { state: 'COMPLETED', reason: '', node: 'n1', over: true };

describe('a stage', () => {
  it('begins while stages that it is not made from still run: no prediction waits for another, nor prompts for the teacher', async () => {
    const [asked, predicted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { activities, calls } = stubs({
      // Each waits for a stage that would never begin if it had to wait for this one.
      synthesizeCritiques: async () => {
        await asked.promise;
        return artifact('synthesis');
      },
      watchJob: async ({ stage }) => {
        if (stage === 'predict-base') asked.resolve();
        if (stage === 'predict-grpo') predicted.resolve();
        else if (stage.startsWith('predict-')) await predicted.promise;
        return over;
      },
    });
    await withWorkers(activities, 'wf-order', async (client) => {
      expect((await (await start(client, 'wf-order')).result()).passed).toBe(true);
    });
    const position = (call: string) => calls.indexOf(call);
    expect(position('submitJob predict-base a1')).toBeLessThan(position('mixRecords'));
    expect(position('submitJob predict-grpo a1')).toBeLessThan(position('collectAttempt predict-base'));
    for (const stage of ['predict-base', 'predict-sft', 'predict-grpo']) {
      expect(position(`publishJob ${stage} a1`)).toBeLessThan(position('evaluatePredictions'));
    }
  });

  it('is given the artifacts and the model that the graph names, and what it must do by their counts', async () => {
    const orders: JobOrder[] = [];
    const { activities } = stubs({
      submitJob: async ({ order }) => {
        orders.push(order);
        return { jobId: '7', adopted: false };
      },
    });
    await withWorkers(activities, 'wf-orders', async (client) => {
      await (await start(client, 'wf-orders')).result();
    });
    const seen = Object.fromEntries(
      orders.map(({ stage, model, baseModel, inputs, planned }) => [stage, { model, baseModel, inputs, planned }]),
    );
    const base = { model: '/store/models/base', baseModel: 'base' };
    const asked = { dataset: '/store/dataset', prompts: '/store/prompts' };
    const rows = { steps: null, rows: 7 };
    expect(seen).toEqual({
      sft: { ...base, inputs: { dataset: '/store/dataset', mix: '/store/mix' }, planned: { steps: 10, rows: null } },
      grpo: { model: '/store/sft/model', inputs: asked, planned: { steps: 5, rows: null } },
      'predict-base': { ...base, inputs: asked, planned: rows },
      'predict-sft': { model: '/store/sft/model', inputs: asked, planned: rows },
      'predict-grpo': { model: '/store/grpo/model', inputs: asked, planned: rows },
    });
  });

  it('tokenises the mix before SFT where the recipe asks for it, and SFT is given that', async () => {
    const orders: JobOrder[] = [];
    const { activities, calls } = stubs({
      submitJob: async ({ order }) => {
        orders.push(order);
        return { jobId: '7', adopted: false };
      },
    });
    await withWorkers(activities, 'wf-tokenize', async (client) => {
      const resources = { nodes: 1, gpus_per_node: 0, cpus: 1, time_limit_minutes: 5, exclude_nodes: [] };
      const handle = await start(client, 'wf-tokenize', {}, {}, { tokenize: { threads: 1, resources } });
      expect((await handle.result()).passed).toBe(true);
    });
    const inputs = Object.fromEntries(orders.map((order) => [order.stage, order.inputs]));
    expect(inputs).toMatchObject({
      tokenize: { dataset: '/store/dataset', mix: '/store/mix' },
      sft: { dataset: '/store/dataset', tokenized: '/store/tokenize/tokenized' },
    });
    const published = calls.indexOf('publishJob tokenize a1');
    expect(published).toBeGreaterThan(calls.indexOf('mixRecords'));
    expect(calls.indexOf('submitJob sft a1')).toBeGreaterThan(published);
  });

  it('that the operator skips is left out of the evaluation, also after the run has continued as new', async () => {
    const run = 'wf-skip';
    let evaluated: Stage[] = [];
    const { activities, calls } = stubs({
      collectAttempt: async ({ order: { stage }, prepared: { attempt } }) =>
        stage === 'predict-base' || (stage === 'grpo' && attempt < 3)
          ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' }
          : completed,
      evaluatePredictions: async ({ artifacts }) => {
        evaluated = Object.values(artifacts).flatMap((one) => one?.stage ?? []);
        return artifact('evaluation');
      },
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run, {}, { historyEvents: 60 });
      const latest = client.workflow.getHandle(run);
      const asking = async (question: string) =>
        until(
          () => latest.query<RunView>('view'),
          ({ questions }) => questions.some(({ id }) => id === question),
        );
      await asking('predict-base-1');
      await latest.executeUpdate('answer', { args: [{ stage: 'predict-base', action: 'skip' }] });
      await asking('grpo-1');
      await until(
        async () => (await histories(client, run)).length,
        (count) => count > 1,
      );
      await latest.executeUpdate('answer', { args: [{ stage: 'grpo', action: 'retry' }] });
      await asking('grpo-2');
      await latest.executeUpdate('answer', { args: [{ stage: 'grpo', action: 'retry' }] });
      expect((await handle.result()).passed).toBe(true);
      const { stages } = await latest.query<RunView>('view');
      expect(stages.filter(({ status }) => status === 'skipped').map(({ stage }) => stage)).toEqual(['predict-base']);
    });
    expect(calls.filter((call) => call.startsWith('submitJob predict-base'))).toHaveLength(1);
    expect(evaluated.toSorted()).toEqual([
      'dataset',
      'grpo',
      'mix',
      'predict-grpo',
      'predict-sft',
      'prompts',
      'sft',
      'synthesis',
    ]);
  });
});
