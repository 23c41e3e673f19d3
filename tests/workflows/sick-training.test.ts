/** A run whose GRPO trains sick: it is ended with a checkpoint, and then the recipe says what follows. */
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { WatchInput } from '../../domain/jobs/job-life.ts';
import { taskQueues } from '../../domain/names.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { completed, plan, until, withWorkers } from './harness.ts';
import { lineOf, look, tell, working } from './working-jobs.ts';

const sentence = 'It trains sick: answers got shorter, from 400 to 100; the entropy fell, from 0.4 to 0.1';
const unwell = { kinds: ['length', 'entropy'], sentence };

/** GRPO's first attempt trains sick. What its watchers were told is kept. */
function sick(overrides: Partial<Activities> = {}) {
  const watched: WatchInput[] = [];
  const ended = { state: 'COMPLETED', reason: '', node: 'n1', over: true };
  const stub = working(['grpo'], {
    watchJob: async (input) => {
      if (input.stage === 'grpo') watched.push(input);
      const isSick = input.stage === 'grpo' && input.attempt.attempt === 1;
      return isSick ? { state: 'RUNNING', reason: '', node: 'n1', over: false, unwell } : ended;
    },
    ...overrides,
  });
  return { ...stub, watched };
}

async function startWith(
  client: Parameters<Parameters<typeof withWorkers>[2]>[0],
  run: string,
  health: 'ask' | 'stop',
) {
  const { recipe, ...rest } = plan(run);
  return client.workflow.start<typeof trainCritic>('trainCritic', {
    workflowId: run,
    taskQueue: taskQueues.workflows,
    args: [{ ...rest, recipe: { ...recipe, watch: { ...recipe.watch, health } } }],
  });
}

describe('a run whose GRPO trains sick', () => {
  it('asks where the recipe says so, and goes on from the checkpoint, not asked about these signs again', async () => {
    const run = 'wf-sick-ask';
    const { activities, calls, given, watched } = sick();
    await withWorkers(activities, run, async (client) => {
      const handle = await startWith(client, run, 'ask');
      const waiting = await until(
        () => look(client, run),
        (view) => view.questions.length > 0,
      );
      expect(waiting.questions[0]?.sentence).toBe(
        `it checkpointed. ${sentence}. "retry" goes on from the checkpoint, and asks again for other signs only.`,
      );
      expect(calls.filter((call) => call.startsWith('endJob'))).toEqual([`endJob critic-${run}-grpo-a1`]);
      await tell(client, run, 'answer', { stage: 'grpo', action: 'retry' });
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(given['grpo a2']).toMatchObject({ resumeFrom: '/c/grpo-1' });
    expect(watched.map(({ known }) => known.unwell)).toEqual([undefined, ['length', 'entropy']]);
  });

  it('ends where the recipe says so, with its checkpoint and without another attempt', async () => {
    const run = 'wf-sick-stop';
    const { activities, calls } = sick();
    await withWorkers(activities, run, async (client) => {
      const handle = await startWith(client, run, 'stop');
      const error = await handle.result().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(WorkflowFailedError);
      expect(error).toHaveProperty('cause.type', 'TrainingSick');
      expect(error).toHaveProperty('cause.message', `stage grpo was stopped: ${sentence}`);
      expect(lineOf(await look(client, run), 'grpo')?.status).toBe('failed');
    });
    expect(calls.filter((call) => call.startsWith('endJob'))).toEqual([`endJob critic-${run}-grpo-a1`]);
    expect(calls.filter((call) => /^(?:submitJob|cancelJob).*grpo/.test(call))).toEqual(['submitJob grpo a1']);
  });

  it('goes on where the job was done before it could be ended', async () => {
    const run = 'wf-sick-done';
    const { activities } = sick({ collectAttempt: async () => completed });
    await withWorkers(activities, run, async (client) => {
      expect(await (await startWith(client, run, 'stop')).result()).toMatchObject({ passed: true });
    });
  });
});
