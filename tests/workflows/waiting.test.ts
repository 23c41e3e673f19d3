/** Runs that wait for a person because of their nodes: with a question, and without one. */
import { describe, expect, it } from 'vitest';
import type { RunView } from '../../domain/jobs/progress.ts';
import { completed, start, stubs, until, withWorkers } from './harness.ts';

describe('a run that waits', () => {
  it('because its job cannot start is shown as waiting, and as running once it has started, without a question', async () => {
    const released = Promise.withResolvers<void>();
    const { activities, calls } = stubs({
      watchJob: async ({ stage, known }) => {
        const ended = { state: 'COMPLETED', reason: '', node: 'n1', over: true };
        if (stage !== 'sft') return ended;
        if (known.stuck === undefined && known.state === 'PENDING') {
          return { state: 'PENDING', reason: 'JobHeldUser', node: '', over: false, stuck: 'the job is held' };
        }
        await released.promise;
        return known.state === 'RUNNING' ? ended : { state: 'RUNNING', reason: '', node: 'n1', over: false };
      },
    });
    await withWorkers(activities, 'wf-held', async (client) => {
      const handle = await start(client, 'wf-held');
      const look = async () => handle.query<RunView>('view');
      const held = await until(look, ({ status }) => status === 'waiting');
      expect(held.questions).toEqual([]);
      expect(held.stages.find(({ stage }) => stage === 'sft')).toMatchObject({
        status: 'waiting',
        note: 'the job is held',
      });
      expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['waiting']);
      released.resolve();
      await until(look, ({ status }) => status !== 'waiting');
      expect((await handle.result()).passed).toBe(true);
      expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['passed']);
    });
    expect(calls.filter((call) => call === 'submitJob sft a1')).toHaveLength(1);
  });

  it('because no node is left names those it set aside, and uses them again when told to retry', async () => {
    const excluded: string[][] = [];
    let collected = 0;
    const { activities } = stubs({
      submitJob: async ({ order, changes }) => {
        if (order.stage !== 'sft') return { jobId: '7', adopted: false };
        excluded.push(changes.excludeNodes);
        const refused = changes.excludeNodes.length === 2 ? { refused: 'no such nodes (2014)' } : {};
        return { jobId: '8', adopted: false, ...refused };
      },
      collectAttempt: async ({ order }) => {
        if (order.stage !== 'sft') return completed;
        collected += 1;
        return collected > 2 ? completed : { ...completed, jobClass: 'launch-failed', node: `n${collected}` };
      },
    });
    await withWorkers(activities, 'wf-no-nodes', async (client) => {
      const handle = await start(client, 'wf-no-nodes');
      const view = await until(
        () => handle.query<RunView>('view'),
        (seen) => seen.status === 'waiting',
      );
      expect(view.questions[0]?.sentence).toContain('no such nodes (2014); set aside after failures: n1, n2');
      await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'retry', excludeNodes: ['n1'] }] });
      expect((await handle.result()).passed).toBe(true);
    });
    expect(excluded).toEqual([[], ['n1'], ['n1', 'n2'], ['n1']]);
  });
});
