/**
 * The paths of workflows, each once and short. `npm run histories:record` keeps the histories of this file's workflows in
 * tests/histories/<release>; their ids are the paths' names.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { CollectedAttempt } from '../../domain/jobs/job-life.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { taskQueues } from '../../domain/names.ts';
import type { planRun } from '../../workflows/plan-run.ts';
import type { reapOrphans } from '../../workflows/upkeep/reap-orphans.ts';
import type { runJobs } from '../../workflows/jobs/run-jobs.ts';
import type { Path } from '../histories/paths.ts';
import { sftOrder } from '../activities/fixtures.ts';
import { artifact, completed, histories, plan, start, stubs, until, withWorkers } from './harness.ts';

const ended = { state: 'COMPLETED', reason: '', node: 'n1', over: true };

/** The first attempt of SFT ends like this, all others well. */
const firstSft = (outcome: Partial<CollectedAttempt>): Partial<Activities> => ({
  collectAttempt: async ({ order: { stage }, prepared: { attempt } }) =>
    stage === 'sft' && attempt === 1 ? { ...completed, ...outcome } : completed,
});

/** Walks this path with these activities. */
async function walk(path: Path, overrides: Partial<Activities>, work: (client: Client) => Promise<void>) {
  const stub = stubs(overrides);
  await withWorkers(stub.activities, path, work);
  return stub.calls;
}

const view = (client: Client, path: Path) => client.workflow.getHandle(path).query<RunView>('view');
const asked = async (client: Client, path: Path) =>
  until(
    () => view(client, path),
    ({ questions }) => questions.length === 1,
  );
const answer = async (client: Client, path: Path, stage: string, action: string) =>
  client.workflow.getHandle(path).executeUpdate('answer', { args: [{ stage, action }] });

/** Ends by cancellation only. */
async function forever(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(50);
  }
}

describe('trainCritic', () => {
  it('passes the gate', async () => {
    const path = 'train-critic-passed';
    await walk(path, {}, async (client) => {
      expect(await (await start(client, path)).result()).toMatchObject({ passed: true });
    });
  });

  it('does not pass the gate', async () => {
    const path = 'train-critic-not-passed';
    const judgeGate = async () => ({
      passed: false,
      outcome: 'keep' as const,
      reasons: ['worse'],
      mainScore: 0.1,
      champion: null,
    });
    await walk(path, { judgeGate }, async (client) => {
      expect(await (await start(client, path)).result()).toMatchObject({ passed: false });
      expect((await view(client, path)).status).toBe('not-passed');
    });
  });

  it('tries a job again that lost its node', async () => {
    const path = 'train-critic-job-retried';
    const lost = firstSft({
      jobClass: 'node-failed',
      node: 'n1',
      checkpoint: '/a/checkpoints/checkpoint-2',
      progress: 2,
    });
    const calls = await walk(path, lost, async (client) => {
      expect(await (await start(client, path)).result()).toMatchObject({ passed: true });
    });
    expect(calls).toContain('submitJob sft a2');
  });

  it('ends a job that gets no further, and tries it again', async () => {
    const path = 'train-critic-job-stuck';
    const stuck: Partial<Activities> = {
      ...firstSft({ jobClass: 'killed' }),
      watchJob: async ({ stage, attempt, known }) => {
        if (stage !== 'sft' || attempt.attempt > 1) return ended;
        const seen = { ...ended, state: 'RUNNING', over: false };
        return known.state === 'PENDING' ? seen : { ...seen, stalled: 'no step for 600 s' };
      },
    };
    const calls = await walk(path, stuck, async (client) => {
      expect(await (await start(client, path)).result()).toMatchObject({ passed: true });
    });
    expect(calls).toContain('captureStacks');
    expect(calls).toContain('submitJob sft a2');
  });

  it('asks about bad configuration, and goes on when told to retry', async () => {
    const path = 'train-critic-asked-retry';
    await walk(path, firstSft({ jobClass: 'bad-config', evidence: 'exit 78' }), async (client) => {
      const handle = await start(client, path);
      await asked(client, path);
      await answer(client, path, 'sft', 'retry');
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });

  it('asks Slurm before it takes changes', async () => {
    const path = 'train-critic-asked-changes';
    await walk(path, firstSft({ jobClass: 'bad-config', evidence: 'exit 78' }), async (client) => {
      const handle = await start(client, path);
      await asked(client, path);
      const wanted = { stage: 'sft', action: 'retry', timeLimitMinutes: 60 };
      await client.workflow.getHandle(path).executeUpdate('answer', { args: [wanted] });
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });

  it('goes on without the predictions that it is told to skip', async () => {
    const path = 'train-critic-asked-skip';
    const submitJob: Activities['submitJob'] = async ({ order: { stage } }) =>
      stage === 'predict-base'
        ? { jobId: '', adopted: false, refused: 'invalid partition (2000)' }
        : { jobId: '7', adopted: false };
    await walk(path, { submitJob }, async (client) => {
      const handle = await start(client, path);
      await asked(client, path);
      await answer(client, path, 'predict-base', 'skip');
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });

  it('ends when it is told to abort', async () => {
    const path = 'train-critic-asked-abort';
    await walk(path, firstSft({ jobClass: 'bad-data', evidence: 'exit 65' }), async (client) => {
      const handle = await start(client, path);
      await asked(client, path);
      await answer(client, path, 'sft', 'abort');
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
  });

  it('waits while an activity fails for a round and longer, and goes on once it does not', async () => {
    const path = 'train-critic-outage';
    const mended = { is: false };
    const submitJob: Activities['submitJob'] = async ({ order: { stage } }) => {
      if (stage === 'sft' && !mended.is) throw ApplicationFailure.retryable('no answer', 'SlurmUnavailable');
      return { jobId: '7', adopted: false };
    };
    await walk(path, { submitJob }, async (client) => {
      const handle = await start(client, path, {}, { roundSeconds: 1 });
      await until(
        () => view(client, path),
        ({ status }) => status === 'waiting',
      );
      mended.is = true;
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });

  it('stops to ask the teacher while it is paused', async () => {
    const path = 'train-critic-paused-in-synthesis';
    let tries = 0;
    const synthesizeCritiques: Activities['synthesizeCritiques'] = async () =>
      (tries += 1) === 1 ? forever() : artifact('synthesis');
    await walk(path, { synthesizeCritiques }, async (client) => {
      const handle = await start(client, path);
      await until(
        async () => tries,
        (count) => count === 1,
      );
      await handle.executeUpdate('pause', { args: [{}] });
      await until(
        () => view(client, path),
        ({ status }) => status === 'paused',
      );
      await handle.executeUpdate('unpause', { args: [{}] });
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(tries).toBe(2);
  });

  it('cancels its jobs when it is cancelled', async () => {
    const path = 'train-critic-cancelled';
    const watchJob: Activities['watchJob'] = async ({ stage }) => (stage === 'sft' ? forever() : ended);
    const calls = await walk(path, { watchJob }, async (client) => {
      const handle = await start(client, path);
      await until(
        () => view(client, path),
        ({ stages }) => stages.some(({ stage, jobState }) => stage === 'sft' && jobState === 'PENDING'),
      );
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
    expect(calls).toContain(`cancelJob critic-${path}-sft-a1`);
  });

  it('continues as new with an open question and a job that is watched', async () => {
    const path = 'train-critic-continued';
    const released = Promise.withResolvers<void>();
    const overrides: Partial<Activities> = {
      ...firstSft({ jobClass: 'bad-config', evidence: 'exit 78' }),
      watchJob: async ({ stage }) => {
        if (stage === 'predict-base') await Promise.race([forever(), released.promise]);
        return ended;
      },
    };
    await walk(path, overrides, async (client) => {
      const handle = await start(client, path, {}, { historyEvents: 50 });
      await until(
        async () => (await histories(client, path)).length,
        (count) => count > 1,
      );
      await asked(client, path);
      await answer(client, path, 'sft', 'retry');
      released.resolve();
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });
});

describe('the other workflows', () => {
  it('runJobs runs its orders one after another', async () => {
    const path = 'run-jobs';
    const calls = await walk(path, firstSft({ jobClass: 'preempted' }), async (client) => {
      const sft = sftOrder(path);
      const grpo = { ...sft, stage: 'grpo' as const };
      const args: Parameters<typeof runJobs> = [
        { run: path, orders: [sft, grpo], retries: { max_attempts: 2, policy: {} } },
      ];
      const { artifacts } = await client.workflow.execute<typeof runJobs>('runJobs', {
        workflowId: path,
        taskQueue: taskQueues.workflows,
        args,
      });
      expect(artifacts.map(({ stage }) => stage)).toEqual(['sft', 'grpo']);
    });
    expect(calls.filter((call) => call.startsWith('submitJob'))).toEqual(
      ['sft a1', 'sft a2', 'grpo a1'].map((job) => `submitJob ${job}`),
    );
  });

  it('reapOrphans cancels what it finds, and names what stays', async () => {
    const path = 'reap-orphans';
    const overrides: Partial<Activities> = {
      findOrphans: async () => ['a', 'b'],
      cancelJob: async ({ name }) => {
        if (name === 'b') throw ApplicationFailure.nonRetryable('still there', 'Refused');
        return { jobId: '7' };
      },
    };
    await walk(path, overrides, async (client) => {
      const reaped = await client.workflow.execute<typeof reapOrphans>('reapOrphans', {
        workflowId: path,
        taskQueue: taskQueues.workflows,
        args: [],
      });
      expect(reaped).toEqual({ cancelled: ['a'], left: [{ name: 'b', why: 'still there' }] });
    });
  });

  it('planRun checks the dataset and tells what a run would take', async () => {
    const path = 'plan-run';
    await walk(path, {}, async (client) => {
      const estimate = await client.workflow.execute<typeof planRun>('planRun', {
        workflowId: path,
        taskQueue: taskQueues.workflows,
        args: [plan(path)],
      });
      expect(estimate).toMatchObject({ recipe: 'test' });
    });
  });
});
