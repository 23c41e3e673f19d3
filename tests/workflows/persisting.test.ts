/** Activities that keep failing: shown as waiting and gone on with by themselves, or asked about; a cancel is never stopped. */
import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { failures } from '../../domain/failures.ts';
import type { AttemptChanges } from '../../domain/jobs/job-spec.ts';
import type { Stage } from '../../domain/names.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { completed, start, stubs, until, withWorkers } from './harness.ts';

/** Rounds of two tries. */
const soon = { roundSeconds: 2 };
const noRoom = () =>
  ApplicationFailure.create({ type: 'NoRoom', message: 'write "attempt.json": ENOSPC: no space left' });
const readOnly = () => ApplicationFailure.nonRetryable('write "attempt.json": EROFS: read-only file system', 'Refused');

describe('an activity that keeps failing', () => {
  it('shows its stage as waiting with the sentence, asks nothing, and goes on by itself once that is mended', async () => {
    let mended = false;
    const happy = stubs({});
    const failing = <Name extends keyof Activities>(name: Name): Activities[Name] =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      (async (input: never) => {
        if (!mended) throw noRoom();
        return happy.activities[name](input);
      }) as unknown as Activities[Name];
    const { activities } = stubs({ mixRecords: failing('mixRecords'), prepareAttempt: failing('prepareAttempt') });
    const run = 'wf-no-room';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run, {}, soon);
      const line = async (stage: Stage) =>
        (await handle.query<RunView>('view')).stages.find((one) => one.stage === stage);
      for (const stage of ['mix', 'predict-base'] as const) {
        const seen = await until(
          () => line(stage),
          (one) => one?.status === 'waiting',
        );
        expect(seen?.note).toBe('write "attempt.json": ENOSPC: no space left');
      }
      const view = await handle.query<RunView>('view');
      expect(view).toMatchObject({ status: 'waiting', questions: [] });
      expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['waiting']);
      mended = true;
      expect((await handle.result()).passed).toBe(true);
      expect((await line('mix'))?.status).toBe('done');
      expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['passed']);
    });
  });

  it(
    'in a way that no retry mends asks, wherever it happens, and goes on where it was after "retry"',
    { timeout: 120_000 },
    async () => {
      const broken = new Set<string>();
      /** Fails once each. */
      const once = (name: string) => {
        if (broken.has(name)) return;
        broken.add(name);
        throw readOnly();
      };
      const happy = stubs({}).activities;
      const { activities, calls } = stubs({
        prepareRun: async (input) => (once('prepareRun'), happy.prepareRun(input)),
        prepareAttempt: async (input) => (once(`prepare ${input.order.stage}`), happy.prepareAttempt(input)),
        watchJob: async (input) => (once(`watch ${input.stage}`), happy.watchJob(input)),
        collectAttempt: async (input) => (once(`collect ${input.order.stage}`), happy.collectAttempt(input)),
        publishJob: async (input) => (once(`publish ${input.order.stage}`), happy.publishJob(input)),
      });
      const run = 'wf-read-only';
      await withWorkers(activities, run, async (client) => {
        const handle = await start(client, run, {}, soon);
        let answers = 0;
        const answering = (async () => {
          for (;;) {
            const { status, questions } = await handle.query<RunView>('view');
            if (status === 'passed') return;
            for (const { id, stage, sentence, remedy } of questions) {
              expect(sentence).toBe('write "attempt.json": EROFS: read-only file system');
              expect(remedy).toBe(failures.Refused.remedy);
              await handle.executeUpdate('answer', { args: [{ stage, action: 'retry', question: id }] });
              answers += 1;
            }
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        })();
        expect((await handle.result()).passed).toBe(true);
        await answering;
        expect(answers).toBe(1 + 4 * 5);
      });
      expect(calls.filter((call) => call.startsWith('submitJob'))).toHaveLength(5);
      expect(calls.filter((call) => call.startsWith('cancelJob'))).toEqual([]);
    },
  );

  it('of the recipe says that the run keeps it, and puts abort before retry', async () => {
    const wrong = ApplicationFailure.nonRetryable('recipe "r": 1 fault', 'RecipeInvalid');
    const { activities } = stubs({ prepareRun: async () => Promise.reject(wrong) });
    const run = 'wf-wrong-recipe';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run, {}, soon);
      const view = await until(
        () => handle.query<RunView>('view'),
        ({ questions }) => questions.length > 0,
      );
      expect(view.questions[0]).toMatchObject({
        remedy: failures.RecipeInvalid.remedy,
        commands: [expect.stringContaining(' dataset abort '), expect.stringContaining(' dataset retry ')],
      });
      await handle.executeUpdate('answer', { args: [{ stage: 'dataset', action: 'abort' }] });
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
  });

  it('does not keep a job alive: aborted while its job is watched, it is cancelled first', async () => {
    const { activities, calls } = stubs({
      watchJob: async ({ stage }) => {
        if (stage === 'sft') throw readOnly();
        return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
      },
    });
    const run = 'wf-abort-watched';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run, {}, soon);
      await until(
        () => handle.query<RunView>('view'),
        ({ questions }) => questions.length === 1,
      );
      await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'abort' }] });
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
    expect(calls).toContain(`cancelJob critic-${run}-sft-a1`);
  });

  it('does not stop a cancel for ever: what is retryable is shown and tried again, what is not is left to the reaper', async () => {
    const runs = ['wf-cancel-retried', 'wf-cancel-left'];
    let tries = 0;
    const { activities, calls } = stubs({
      watchJob: async ({ stage, attempt: { name } }) => {
        if (stage !== 'sft') return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
        throw ApplicationFailure.create({ type: 'SlurmUnavailable', message: `cannot watch ${name}` });
      },
      cancelJob: async ({ name }) => {
        if (name.includes('left')) throw readOnly();
        tries += 1;
        if (tries < 4) throw ApplicationFailure.create({ type: 'SlurmUnavailable', message: 'job 101 is still there' });
        return { jobId: '101' };
      },
    });
    await withWorkers(activities, runs, async (client) => {
      for (const run of runs) {
        const handle = await start(client, run, {}, soon);
        await until(
          () => Promise.resolve(calls),
          (list) => list.filter((call) => call === 'watchJob sft').length > 0,
        );
        await until(
          () => handle.query<RunView>('view'),
          ({ stages }) => stages.some(({ stage, jobId }) => stage === 'sft' && jobId !== undefined),
        );
        await handle.cancel();
        await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
        expect((await handle.describe()).status.name).toBe('CANCELLED');
      }
    });
    expect(tries).toBe(4);
  });
});

describe('a job that fails again and again', () => {
  it(
    'goes on unasked through twelve windows that each get further, and asks after two that do not',
    { timeout: 240_000 },
    async () => {
      let windows = 0;
      const { activities } = stubs({
        collectAttempt: async ({ order }) => {
          if (order.stage !== 'grpo') return completed;
          windows += 1;
          const progress = Math.min(windows, 12) * 100;
          const checkpoint = `/a/checkpoints/checkpoint-${progress}`;
          return { ...completed, jobClass: windows === 15 ? 'completed' : 'time-limit', progress, checkpoint };
        },
      });
      const run = 'wf-windows';
      await withWorkers(activities, run, async (client) => {
        const handle = await start(client, run, { max_attempts: 4 });
        const view = await until(
          () => handle.query<RunView>('view'),
          ({ questions, status }) => questions.length > 0 || status === 'passed',
        );
        expect(windows).toBe(14);
        expect(view.questions[0]?.sentence).toContain('Two attempts in a row made no progress.');
        await handle.executeUpdate('answer', { args: [{ stage: 'grpo', action: 'retry' }] });
        expect((await handle.result()).passed).toBe(true);
      });
    },
  );

  it('asks at once, and says why, where the remedy would change nothing: no memory to multiply, no batch to halve', async () => {
    const seen: AttemptChanges[] = [];
    const { activities } = stubs({
      submitJob: async ({ order, changes }) => {
        if (order.stage === 'sft' || order.stage === 'predict-grpo') seen.push(changes);
        return { jobId: '7', adopted: false };
      },
      collectAttempt: async ({ order: { stage }, prepared: { attempt } }) => {
        if (stage === 'sft' && attempt === 1) return { ...completed, jobClass: 'out-of-memory' };
        if (stage === 'predict-grpo' && attempt === 1) return { ...completed, jobClass: 'gpu-out-of-memory' };
        return completed;
      },
    });
    const run = 'wf-futile';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const why = {
        sft: 'gives sft no resources.memory_mib',
        'predict-grpo': 'predictions are not made in micro-batches',
      };
      for (const stage of ['sft', 'predict-grpo'] as const) {
        const { questions } = await until(
          () => handle.query<RunView>('view'),
          (view) => view.questions[0]?.stage === stage,
        );
        expect(questions[0]?.sentence).toContain('A retry would run the same again: ');
        expect(questions[0]?.sentence).toContain(why[stage]);
        await handle.executeUpdate('answer', { args: [{ stage, action: 'retry' }] });
      }
      expect((await handle.result()).passed).toBe(true);
    });
    expect(seen).toHaveLength(4);
  });
});
