/** A run that a person resets in the Temporal UI to before a stage; two operators at once; an answer that comes too late. */
import { Context } from '@temporalio/activity';
import { type Client, WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { RunView } from '../../domain/jobs/progress.ts';
import type { Stage } from '../../domain/names.ts';
import { artifact, completed, start, stubs, until, withWorkers } from './harness.ts';
import { resetBefore } from './reset-before.ts';

const asksOnce = () =>
  stubs({
    collectAttempt: async ({ order, prepared }) =>
      order.stage === 'sft' && prepared.attempt === 1
        ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' }
        : completed,
  });
const asked = async (client: Client, run: string) =>
  until(
    () => client.workflow.getHandle(run).query<RunView>('view'),
    ({ questions }) => questions.length === 1,
  );

describe('a run that is reset to before a stage', () => {
  it('takes what stands, and asks for each attempt under the name that it had, so that no job is there twice', async () => {
    const standing = new Set<Stage>();
    const names: string[] = [];
    const grpo = { isReleased: false };
    const { activities, calls } = stubs({
      lookUpArtifact: async ({ stage }) =>
        standing.has(stage)
          ? { key: `key-${stage}`, artifact: { ...artifact(stage), reused: true } }
          : { key: `key-${stage}` },
      publishJob: async ({ order }) => {
        standing.add(order.stage);
        return artifact(order.stage);
      },
      submitJob: async ({ order, attempt }) => {
        const name = `critic-${order.run}-${order.stage}-a${attempt}`;
        const adopted = names.includes(name);
        names.push(name);
        return { jobId: '7', adopted };
      },
      watchJob: async ({ stage }) => {
        const isHeld = () => stage === 'grpo' && !grpo.isReleased;
        while (isHeld()) {
          Context.current().heartbeat();
          await Context.current().sleep(50);
        }
        return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
      },
    });
    const run = 'wf-reset';
    await withWorkers(activities, run, async (client) => {
      await start(client, run);
      await until(async () => calls.includes('watchJob grpo') && calls.includes('publishJob predict-sft a1'), Boolean);
      await resetBefore(client, run, 'sft-a0-look-up');
      await until(async () => names.filter((name) => name.endsWith('grpo-a1')).length === 2, Boolean);
      grpo.isReleased = true;
      const result = await client.workflow.getHandle(run).result();
      expect(result).toMatchObject({ passed: true, reused: expect.arrayContaining(['sft', 'predict-sft']) });
    });
    expect(names.filter((name) => name.endsWith('-sft-a1') && !name.includes('predict'))).toHaveLength(1);
    expect(names.every((name) => name.endsWith('-a1'))).toBe(true);
    // Nothing before the stage was done again, and nobody cancelled the job that goes on.
    expect(calls.filter((call) => call === 'mixRecords')).toHaveLength(1);
    expect(calls.filter((call) => call.startsWith('cancelJob'))).toEqual([]);
  }, 120_000);
});

describe('an answer', () => {
  const answer = async (client: Client, run: string, action: string, by: string) =>
    client.workflow
      .getHandle(run)
      .executeUpdate<string, [object]>('answer', { args: [{ stage: 'sft', action, question: 'sft-1', by }] })
      .catch((error: unknown) => {
        if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? '';
        throw error;
      });

  it('of two operators at once: one is taken, the other one is told that the question was answered', async () => {
    const run = 'wf-two-operators';
    const { activities, calls } = asksOnce();
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await asked(client, run);
      const said = await Promise.all([answer(client, run, 'retry', 'ada'), answer(client, run, 'retry', 'grace')]);
      expect(said.toSorted()).toEqual([
        'question "sft-1" of stage "sft" is not open: it was answered, or never asked; the run asks nothing',
        'sft-1: retry',
      ]);
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(calls.filter((call) => call === 'submitJob sft a2')).toHaveLength(1);
  });

  it('to a question that is moot, since the run was cancelled meanwhile, changes nothing', async () => {
    const run = 'wf-moot';
    const { activities, calls } = asksOnce();
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await asked(client, run);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
      await expect(answer(client, run, 'retry', 'ada')).rejects.toThrow(/completed|not found/);
      expect((await handle.query<RunView>('view')).questions).toEqual([]);
    });
    expect(calls).not.toContain('submitJob sft a2');
  });
});
