/** Jobs that an operator has begin anew, with changes. */
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { completed, histories, start, until, withWorkers } from './harness.ts';
import { bothWatched, look, refusal, tell, working } from './working-jobs.ts';

/** SFT and the base's predictions work, and Slurm says only after `told` that it takes the changes. */
function whileSlurmIsAsked() {
  const told = Promise.withResolvers<void>();
  const stand = working(['sft', 'predict-base'], {
    checkChanges: async () => {
      await told.promise;
      return { faults: [] };
    },
  });
  return { told, ...stand };
}

describe('a job that is under way and is to be retried', () => {
  it(
    'saves and ends, and the next attempt goes on from there with all that was said, at once and after one another',
    { timeout: 120_000 },
    async () => {
      const run = 'wf-retried';
      const { activities, calls, given } = working(['sft'], {}, 2);
      await withWorkers(activities, run, async (client) => {
        const handle = await start(client, run);
        await until(async () => calls.includes('watchJob sft'), Boolean);
        // Two operators at once: both are heard.
        const said = await Promise.all([
          tell(client, run, 'retry', { stage: 'sft', action: 'retry', timeLimitMinutes: 60, excludeNodes: ['n1'] }),
          tell(client, run, 'retry', { stage: 'sft', action: 'retry', qos: 'high', partition: 'h200' }),
        ]);
        for (const one of said) expect(one).toMatch(/^sft: attempt 1 saves a checkpoint and ends/);
        await until(async () => calls.includes('submitJob sft a2'), Boolean);
        await until(async () => calls.filter((call) => call === 'watchJob sft').length > 1, Boolean);
        await tell(client, run, 'retry', { stage: 'sft', action: 'retry', allowNodes: ['n1'], microBatchHalvings: 1 });
        expect(await handle.result()).toMatchObject({ passed: true });
        expect(await refusal(tell(client, run, 'retry', { stage: 'sft', action: 'retry' })).catch(() => 'over')).toBe(
          'over',
        );
      });
      const first = {
        timeLimitMinutes: 60,
        qos: 'high',
        partition: 'h200',
        resumeFrom: '/c/sft-1',
        excludeNodes: ['n1'],
      };
      expect(given['sft a2']).toMatchObject(first);
      expect(given['sft a3']).toMatchObject({
        ...first,
        resumeFrom: '/c/sft-2',
        excludeNodes: [],
        allowNodes: ['n1'],
        microBatchHalvings: 1,
      });
      expect(calls.filter((call) => call.startsWith('submitJob sft'))).toHaveLength(3);
    },
  );

  it('answers the question where its stage asks', async () => {
    const run = 'wf-retry-asked';
    const { activities, given } = working([], {
      collectAttempt: async ({ order, prepared }) =>
        order.stage === 'sft' && prepared.attempt === 1
          ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' }
          : completed,
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        () => look(client, run),
        ({ questions }) => questions.length === 1,
      );
      expect(await tell(client, run, 'retry', { stage: 'sft', action: 'retry', qos: 'high' })).toBe('sft-1: retry');
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(given['sft a2']).toMatchObject({ qos: 'high' });
  });

  it('is left as it is where nothing can be changed, and that is said', async () => {
    const run = 'wf-retry-refused';
    const { activities, calls } = working(['sft', 'predict-base']);
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await bothWatched(calls);
      const cases: [object, string][] = [
        [{ stage: 'grpo', action: 'retry' }, 'stage "grpo" neither asks nor has a job under way'],
        [{ stage: 'mix', action: 'retry' }, 'stage "mix" neither asks nor has a job under way'],
        [{ stage: 'sft', action: 'skip' }, 'answer.action: expected retry, got skip'],
        [{ stage: 'sft', action: 'retry', memoryFactor: 2 }, 'answer.memoryFactor: the recipe gives sft no'],
        [{ stage: 'sft', action: 'retry', microBatchHalvings: 9 }, 'the micro-batch can be halved'],
        [
          { stage: 'sft', action: 'retry', microBatchHalvings: 17 },
          'answer.microBatchHalvings: expected a whole number',
        ],
        [{ stage: 'sft', action: 'retry', partition: 'a b' }, 'answer.partition: expected a name in Slurm'],
        [{ stage: 'sft', action: 'retry', question: 'sft-1' }, 'question "sft-1" of stage "sft" is not open'],
        [
          { stage: 'sft', action: 'retry' },
          'stage "sft" has attempt 1 under way, and "retry" without a change would end it only to go on from what it has saved',
        ],
        [
          { stage: 'sft', action: 'retry', timeLimitMinutes: 5, microBatchHalvings: 0 },
          'stage "sft" has attempt 1 under way, and "retry" with what it has already would end it',
        ],
        [{ stage: 'sft', action: 'retry', anew: 'yes' }, 'answer.anew: expected true or false, got "yes"'],
      ];
      for (const [wanted, sentence] of cases) {
        expect(await refusal(tell(client, run, 'retry', wanted))).toContain(sentence);
      }
      expect(calls.filter((call) => call.startsWith('endJob'))).toEqual([]);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
  });

  it('goes on where Slurm would not take the changes, or does not say, and ends without a change only if that is wanted', async () => {
    const run = 'wf-retry-unfit';
    const says = {
      faults: ['answer.partition: expected a partition of the cluster (a100), got "nope"'],
      isAway: false,
    };
    const { activities, calls, given } = working(['sft'], {
      checkChanges: async () => {
        if (says.isAway) throw ApplicationFailure.nonRetryable('slurmrestd is away', 'SlurmUnavailable');
        return { faults: says.faults };
      },
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(async () => calls.includes('watchJob sft'), Boolean);
      const unfit = { stage: 'sft', action: 'retry', partition: 'nope' };
      expect(await refusal(tell(client, run, 'retry', unfit))).toBe(`${says.faults[0]}; stage "sft" was left as it is`);
      says.isAway = true;
      expect(await refusal(tell(client, run, 'retry', unfit))).toBe(
        'stage "sft" was left as it is, since nobody can say whether Slurm takes the changes: slurmrestd is away',
      );
      expect(calls.filter((call) => call.startsWith('endJob'))).toEqual([]);
      const said = await tell(client, run, 'retry', { stage: 'sft', action: 'retry', anew: true });
      expect(said).toMatch(/^sft: attempt 1 saves a checkpoint and ends/);
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(given['sft a2']).not.toHaveProperty('partition');
    expect(given['sft a2']).toMatchObject({ resumeFrom: '/c/sft-1' });
  });

  it('that waits keeps its question where Slurm would not take the answer, and takes it where Slurm does not say', async () => {
    const run = 'wf-answer-unfit';
    const says = { isAway: false };
    const { activities, given } = working([], {
      checkChanges: async () => {
        if (says.isAway) throw ApplicationFailure.nonRetryable('slurmrestd is away', 'SlurmUnavailable');
        return { faults: ['answer.qos: expected a QOS of the cluster (normal), got "hihg"'] };
      },
      collectAttempt: async ({ order, prepared }) =>
        order.stage === 'sft' && prepared.attempt === 1
          ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' }
          : completed,
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const asked = async () => (await look(client, run)).questions.map(({ id }) => id);
      await until(asked, (ids) => ids.length === 1);
      const unfit = { stage: 'sft', action: 'retry', qos: 'hihg' };
      for (const update of ['answer', 'retry']) {
        expect(await refusal(tell(client, run, update, unfit))).toContain('answer.qos: expected a QOS of the cluster');
      }
      expect(await asked()).toEqual(['sft-1']);
      says.isAway = true;
      // Of two at once one answers.
      const both = await Promise.allSettled([tell(client, run, 'answer', unfit), tell(client, run, 'answer', unfit)]);
      expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(given['sft a2']).toMatchObject({ qos: 'hihg' });
  });

  it('is not forgotten where the run continues as new while Slurm is asked', async () => {
    const run = 'wf-retry-cut';
    const { told, activities, calls, given } = whileSlurmIsAsked();
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run, {}, { historyEvents: 16 });
      await bothWatched(calls);
      const said = tell(client, run, 'retry', { stage: 'sft', action: 'retry', timeLimitMinutes: 60 });
      await until(async () => calls.includes('checkChanges'), Boolean);
      // It is due meanwhile, and waits for the answer.
      const asked = (await histories(client, run)).length;
      told.resolve();
      expect(await said).toMatch(/^sft: attempt 1 saves a checkpoint and ends/);
      await until(async () => given['sft a2'] !== undefined, Boolean);
      expect((await histories(client, run)).length).toBeGreaterThan(asked);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
    expect(given['sft a2']).toMatchObject({ timeLimitMinutes: 60, resumeFrom: '/c/sft-1' });
  });

  it('ends at once where it is cancelled while Slurm is asked, and the operator is told', async () => {
    const run = 'wf-retry-cancelled';
    const { told, activities, calls } = whileSlurmIsAsked();
    await withWorkers(activities, run, async (client) => {
      // A cut is due too.
      const handle = await start(client, run, {}, { historyEvents: 16 });
      await bothWatched(calls);
      const change = { stage: 'sft', action: 'retry', timeLimitMinutes: 60 };
      const said = tell(client, run, 'retry', change).catch((error: unknown) => error);
      await until(async () => calls.includes('checkChanges'), Boolean);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
      expect(await said).toMatchObject({ cause: { type: 'AcceptedUpdateCompletedWorkflow' } });
      told.resolve();
    });
  });
});
