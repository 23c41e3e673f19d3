import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { CollectedAttempt } from '../../domain/jobs/job-life.ts';
import type { AttemptChanges } from '../../domain/jobs/job-spec.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { teacherNeeded } from '../../domain/recipe/arms.ts';
import { artifact, completed, start, stubs, until, withWorkers } from './harness.ts';

/** Attempts of the SFT job as the policy shaped them. */
function recordChanges(outcomes: Partial<CollectedAttempt>[]): {
  overrides: Partial<Activities>;
  changes: AttemptChanges[];
} {
  const changes: AttemptChanges[] = [];
  let next = 0;
  return {
    changes,
    overrides: {
      submitJob: async (input) => {
        if (input.order.stage === 'sft') changes.push(input.changes);
        return { jobId: '7', adopted: false };
      },
      collectAttempt: async ({ order }) => {
        if (order.stage !== 'sft') return completed;
        next += 1;
        return { ...completed, ...outcomes[next - 1] };
      },
    },
  };
}

describe('trainCritic', () => {
  it('walks all stages to a report, one submission a job, and shows status, stage and score', async () => {
    const { activities, calls } = stubs({});
    await withWorkers(activities, 'wf-happy', async (client) => {
      const handle = await start(client, 'wf-happy');
      const result = await handle.result();
      expect(result).toEqual({
        passed: true,
        reasons: ['good'],
        mainScore: 0.5,
        report: '/store/report.html',
        summary: 'SRCC 0.7\n',
        reused: [],
      });
      const submissions = calls.filter((call) => call.startsWith('submitJob'));
      expect(submissions.toSorted()).toEqual(
        ['grpo', 'predict-base', 'predict-grpo', 'predict-sft', 'sft'].map((stage) => `submitJob ${stage} a1`),
      );
      const { searchAttributes } = await handle.describe();
      expect(searchAttributes).toMatchObject({ CriticStatus: ['passed'], CriticScore: [0.5] });
    });
  });

  it('submits nothing when every artifact is there already, and says what it reused', async () => {
    const { activities, calls } = stubs({
      lookUpArtifact: async ({ stage }) => ({ key: 'k', artifact: { ...artifact(stage), reused: true } }),
    });
    await withWorkers(activities, 'wf-reused', async (client) => {
      const result = await (await start(client, 'wf-reused')).result();
      expect(result.reused.toSorted()).toEqual(['grpo', 'predict-base', 'predict-grpo', 'predict-sft', 'sft']);
    });
    expect(calls.filter((call) => /submit|prepareAttempt|watch/.test(call))).toEqual([]);
  });

  it('resumes after a node failure in a new attempt, from the checkpoint, without that node', async () => {
    const failed = {
      jobClass: 'node-failed',
      node: 'bad-1',
      checkpoint: '/a/checkpoints/checkpoint-20',
      progress: 20,
    } as const;
    const { overrides, changes } = recordChanges([failed]);
    const { activities } = stubs(overrides);
    await withWorkers(activities, 'wf-node', async (client) => {
      expect((await (await start(client, 'wf-node')).result()).passed).toBe(true);
    });
    expect(changes[1]).toMatchObject({ resumeFrom: '/a/checkpoints/checkpoint-20', excludeNodes: ['bad-1'] });
    expect(changes).toHaveLength(2);
  });

  it('keeps the stacks of a stuck job, ends it for certain, and goes on elsewhere from its checkpoint', async () => {
    const { overrides, changes } = recordChanges([
      { jobClass: 'killed', node: 'bad-1', checkpoint: '/a/checkpoints/checkpoint-20', progress: 20 },
    ]);
    const { activities, calls } = stubs({
      ...overrides,
      watchJob: async ({ stage, attempt }) => {
        const seen = { state: 'RUNNING', reason: '', node: 'bad-1', over: false };
        if (stage === 'sft' && attempt.attempt === 1) return { ...seen, stalled: 'no step for 600 s' };
        return { ...seen, state: 'COMPLETED', over: true };
      },
    });
    await withWorkers(activities, 'wf-stalled', async (client) => {
      expect((await (await start(client, 'wf-stalled')).result()).passed).toBe(true);
    });
    expect(changes[1]).toMatchObject({ resumeFrom: '/a/checkpoints/checkpoint-20', excludeNodes: ['bad-1'] });
    const order = calls.filter((call) => /captureStacks|cancelJob|collectAttempt sft/.test(call));
    expect(order).toEqual([
      'captureStacks',
      'cancelJob critic-wf-stalled-sft-a1',
      'collectAttempt sft',
      'collectAttempt sft',
    ]);
  });

  it('believes a stuck job that finished after all, and shows the stacks when the operator is asked', async () => {
    const { overrides } = recordChanges([{ jobClass: 'bug' }, completed]);
    const stuck = { state: 'RUNNING', reason: '', node: 'n1', over: false, stalled: 'no step for 600 s' };
    const { activities } = stubs({
      ...overrides,
      watchJob: async ({ stage }) => (stage === 'sft' ? stuck : { ...stuck, stalled: undefined, over: true }),
    });
    const policy = { stalled: { retries: 0 } };
    await withWorkers(activities, 'wf-stalled-asks', async (client) => {
      const handle = await start(client, 'wf-stalled-asks', { policy });
      const view = await until(
        () => handle.query<RunView>('view'),
        (seen) => seen.status === 'waiting',
      );
      expect(view.questions[0]).toMatchObject({ stage: 'sft', logTail: 'File "train.py", line 7 in step' });
      expect(view.questions[0]?.sentence).toContain('no step for 600 s; stacks in /a/stacks.txt');
      await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'retry' }] });
      expect((await handle.result()).passed).toBe(true);
    });
  });

  it('halves the micro-batch after the GPU ran out of memory, and says what that changes', async () => {
    const { overrides, changes } = recordChanges([{ jobClass: 'gpu-out-of-memory' }]);
    const seen = Promise.withResolvers<void>();
    const watchJob: Activities['watchJob'] = async ({ stage, attempt }) => {
      if (stage === 'sft' && attempt.attempt === 2) await seen.promise;
      return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
    };
    await withWorkers(stubs({ ...overrides, watchJob }).activities, 'wf-oom', async (client) => {
      const handle = await start(client, 'wf-oom');
      const { stages } = await until(
        () => handle.query<RunView>('view'),
        (view) => view.stages.some(({ stage, attempt }) => stage === 'sft' && attempt === 2),
      );
      expect(stages.find(({ stage }) => stage === 'sft')?.note).toContain(
        'has half the micro-batch, so its losses differ',
      );
      seen.resolve();
      await handle.result();
    });
    expect(changes.map((change) => change.microBatchHalvings)).toEqual([0, 1]);
  });

  it('asks the operator about bad configuration, refuses a wrong answer, and goes on when told to retry', async () => {
    const { overrides, changes } = recordChanges([
      { jobClass: 'bad-config', evidence: 'exit 78', logTail: 'params.epochs' },
    ]);
    await withWorkers(stubs(overrides).activities, 'wf-ask', async (client) => {
      const handle = await start(client, 'wf-ask');
      const view = await until(
        () => handle.query<RunView>('view'),
        (seen) => seen.status === 'waiting',
      );
      expect(view.questions[0]).toMatchObject({ stage: 'sft', logTail: 'params.epochs' });
      expect(view.questions[0]?.commands[0]).toBe('npm run critic -- answer wf-ask sft retry --question sft-1');
      await expect(handle.executeUpdate('answer', { args: [{ stage: 'grpo', action: 'retry' }] })).rejects.toThrow(
        'Update failed',
      );
      await expect(handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'skip' }] })).rejects.toThrow(
        'Update failed',
      );
      await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'retry', timeLimitMinutes: 9 }] });
      expect((await handle.result()).passed).toBe(true);
    });
    expect(changes[1]?.timeLimitMinutes).toBe(9);
  });

  it('waits at the cap of synthesis, and goes on after a raise with the new cap', async () => {
    const caps: number[] = [];
    const { activities } = stubs({
      synthesizeCritiques: async ({ plan: { recipe } }) => {
        caps.push(teacherNeeded(recipe).budget_usd);
        if (caps.length === 1) throw ApplicationFailure.nonRetryable('stopped at its cap', 'BudgetExceeded');
        return artifact('synthesis');
      },
    });
    await withWorkers(activities, 'wf-budget', async (client) => {
      const handle = await start(client, 'wf-budget');
      const view = await until(
        () => handle.query<RunView>('view'),
        (seen) => seen.status === 'waiting',
      );
      expect(view.questions[0]).toMatchObject({ stage: 'synthesis', sentence: 'stopped at its cap' });
      const answer = { stage: 'synthesis', action: 'retry' };
      await expect(handle.executeUpdate('answer', { args: [{ ...answer, budgetUsd: -1 }] })).rejects.toThrow(
        'Update failed',
      );
      await handle.executeUpdate('answer', { args: [{ ...answer, budgetUsd: 2.5 }] });
      expect((await handle.result()).passed).toBe(true);
    });
    expect(caps).toEqual([1, 2.5]);
  });

  it('ends when the operator aborts, with the sentence of what happened, and cancels what ran beside it', async () => {
    const { overrides } = recordChanges([{ jobClass: 'bad-data', evidence: 'row 7 has no image' }]);
    const { activities, calls } = stubs({ ...overrides, watchJob: watchForever('predict-base') });
    await withWorkers(activities, 'wf-abort', async (client) => {
      const handle = await start(client, 'wf-abort');
      await until(
        () => handle.query<RunView>('view'),
        (seen) => seen.status === 'waiting',
      );
      await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'abort' }] });
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
    expect(calls).toContain('cancelJob critic-wf-abort-predict-base-a1');
  });

  it('cancels its running jobs by name when the run is cancelled', async () => {
    const { activities, calls } = stubs({ watchJob: watchForever('sft') });
    await withWorkers(activities, 'wf-cancel', async (client) => {
      const handle = await start(client, 'wf-cancel');
      await until(
        () => Promise.resolve(calls),
        (list) => list.includes('watchJob sft'),
      );
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
      expect((await handle.describe()).status.name).toBe('CANCELLED');
      const { stages } = await handle.query<RunView>('view');
      expect(stages.find(({ stage }) => stage === 'sft')).toMatchObject({
        status: 'cancelled',
        jobId: expect.any(String),
      });
      expect(stages.find(({ stage }) => stage === 'sft')).not.toHaveProperty('jobState');
      expect(stages.find(({ stage }) => stage === 'grpo')?.status).toBe('pending');
    });
    expect(calls.filter((call) => call.startsWith('cancelJob'))).toContain('cancelJob critic-wf-cancel-sft-a1');
  });

  it('fails the run at once on a bad dataset: nothing was spent, nobody has to answer', async () => {
    const checkDataset = async () => {
      throw ApplicationFailure.nonRetryable('pairs.jsonl:3: mos.overall: expected 1 to 5, got 6', 'DataInvalid');
    };
    const { activities, calls } = stubs({ checkDataset });
    await withWorkers(activities, 'wf-data', async (client) => {
      const handle = await start(client, 'wf-data');
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
      const view = await handle.query<RunView>('view');
      expect([view.status, view.stages[0]?.status]).toEqual(['aborted', 'failed']);
    });
    expect(calls).toEqual(['checkDataset']);
  });
});

/** A watcher of one stage's job that ends by cancellation only; other jobs complete. */
function watchForever(stage: string): Activities['watchJob'] {
  return async (input) => {
    if (input.stage !== stage) return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
    for (;;) {
      Context.current().heartbeat();
      await Context.current().sleep(100);
    }
  };
}
