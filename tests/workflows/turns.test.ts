/** Runs whose jobs are limited. */
import { describe, expect, it } from 'vitest';
import { Context } from '@temporalio/activity';
import type { RunView } from '../../domain/jobs/progress.ts';
import { completed, start, stubs, until, withWorkers } from './harness.ts';

const limits = [{ kind: 'grpo' as const, at_most: 1 }];
const prepared = {
  trainer: '/store/code/abc',
  baseModel: { key: 'base', path: '/store/models/base' },
  engines: { llamafactory: {}, trl: {}, transformers: {} },
  limits,
};

describe('a run whose jobs are limited', () => {
  it('takes a turn before each attempt of such a job, shows that it waits, and leaves it before a person is asked', async () => {
    const gate = Promise.withResolvers<void>();
    const { activities, calls } = stubs({
      prepareRun: async () => prepared,
      takeTurn: async () => gate.promise,
      collectAttempt: async ({ order, prepared: { attempt } }) =>
        order.stage === 'grpo' && attempt === 1 ? { ...completed, jobClass: 'bad-data', evidence: 'no' } : completed,
    });
    const run = 'wf-turns';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const look = async () => (await handle.query<RunView>('view')).stages.find(({ stage }) => stage === 'grpo');
      const line = await until(look, (seen) => seen?.note !== undefined);
      expect(line).toMatchObject({ status: 'running', note: 'waits for its turn: grpo (at most 1)' });
      gate.resolve();
      await until(
        () => handle.query<RunView>('view'),
        ({ questions }) => questions.length > 0,
      );
      expect(calls.filter((call) => /Turn grpo/.test(call))).toEqual(['takeTurn grpo', 'leaveTurn grpo']);
      await handle.executeUpdate('answer', { args: [{ stage: 'grpo', action: 'retry' }] });
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    const ofGrpo = calls.filter((call) => /(?:Turn|prepareAttempt|submitJob|collectAttempt) grpo/.test(call));
    const attempt = (n: number) => [
      'takeTurn grpo',
      `prepareAttempt grpo a${n}`,
      `submitJob grpo a${n}`,
      'collectAttempt grpo',
      'leaveTurn grpo',
    ];
    expect(ofGrpo).toEqual([...attempt(1), ...attempt(2)]);
    expect(calls.filter((call) => /Turn (?!grpo)/.test(call))).toEqual([]);
  });

  it('steps back from the queue while it is paused, and takes its turn afterwards', async () => {
    const queue = { isLong: true };
    const { activities, calls } = stubs({
      prepareRun: async () => prepared,
      takeTurn: async () => {
        while (queue.isLong) {
          Context.current().heartbeat();
          await Context.current().sleep(100);
        }
      },
    });
    const run = 'wf-turns-paused';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        async () => calls,
        (seen) => seen.includes('takeTurn grpo'),
      );
      await handle.executeUpdate('pause', { args: [{}] });
      await until(
        async () => calls,
        (seen) => seen.includes('leaveTurn grpo'),
      );
      expect(calls.filter((call) => call.endsWith('grpo') || call.includes('grpo a'))).not.toContain(
        'submitJob grpo a1',
      );
      queue.isLong = false;
      await handle.executeUpdate('unpause', { args: [{}] });
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(calls.filter((call) => /Turn grpo|submitJob grpo/.test(call))).toEqual([
      'takeTurn grpo',
      'leaveTurn grpo',
      'takeTurn grpo',
      'submitJob grpo a1',
      'leaveTurn grpo',
    ]);
  });
});
