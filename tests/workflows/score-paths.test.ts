/** The path of a scoring, as tests/workflows/paths.test.ts has those of other workflows. */
import { describe, expect, it } from 'vitest';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { Path } from '../histories/paths.ts';
import { stubs, withWorkers } from './harness.ts';
import { orderOf, start } from './scorings.ts';
import { look } from './working-jobs.ts';

describe('scorePairs', () => {
  it('has a job answer its pairs by the critic’s model, then writes the scores', async () => {
    const path: Path = 'score-pairs';
    const orders: JobOrder[] = [];
    const { activities, calls } = stubs({
      prepareAttempt: async ({ order, attempt }) => {
        orders.push(order);
        return { name: `critic-${order.run}-${order.stage}-a${attempt}`, directory: '/a', attempt };
      },
    });
    await withWorkers(activities, path, async (client) => {
      const handle = await start(client, orderOf(path));
      expect(await handle.result()).toMatchObject({
        scored: 3,
        refused: 1,
        critic: 'champion test, version 1 (run r)',
      });
      const { status, stages } = await look(client, path);
      expect(status).toBe('passed');
      expect(stages.map(({ stage, status: how }) => `${stage} ${how}`)).toEqual([
        'prompts-pairs done',
        'predict-pairs done',
        'report-pairs done',
      ]);
    });
    expect(orders).toMatchObject([
      {
        run: path,
        stage: 'predict-pairs',
        model: '/store/grpo/model',
        inputs: { dataset: '/store/prompts-pairs', prompts: '/store/prompts-pairs' },
        planned: { steps: null, rows: 3 },
      },
    ]);
    expect(calls.filter((call) => call.startsWith('submitJob'))).toEqual(['submitJob predict-pairs a1']);
  });
});
