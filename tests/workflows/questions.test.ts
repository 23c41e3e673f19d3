/** Several stages that wait at once: each has its own question and gets its own answer. */
import { type Client, WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { OperatorAnswer } from '../../domain/operator-answer.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { completed, start, stubs, until, withWorkers } from './harness.ts';

const three = ['predict-base', 'grpo', 'predict-sft'] as const;
type Waiting = (typeof three)[number];

/** All orders of these. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest): T[] => [item, ...rest]));
}

/** A run whose three parallel jobs were refused for their account, once each. Time limits that their second attempts got. */
function badAccount() {
  const minutes: Record<string, number | null> = {};
  const stub = stubs({
    submitJob: async ({ order, attempt, changes }) => {
      const isWaiting = three.some((stage) => stage === order.stage);
      if (isWaiting && attempt === 1) return { jobId: '', adopted: false, refused: 'invalid account (2045)' };
      if (isWaiting) minutes[`${order.run} ${order.stage}`] = changes.timeLimitMinutes;
      return { jobId: '7', adopted: false };
    },
  });
  return { ...stub, minutes };
}

const view = (client: Client, run: string) => client.workflow.getHandle(run).query<RunView>('view');
const waitingFor = async (client: Client, run: string, count: number) =>
  until(
    () => view(client, run),
    ({ questions }) => questions.length === count,
  );

async function answer(client: Client, run: string, said: OperatorAnswer): Promise<string> {
  return client.workflow.getHandle(run).executeUpdate<string, [OperatorAnswer]>('answer', { args: [said] });
}

/** What the validator said. */
async function refusal(client: Client, run: string, said: unknown): Promise<string> {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    await answer(client, run, said as OperatorAnswer);
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? '';
    throw error;
  }
  return 'it was taken';
}

describe('three stages that ask at once', () => {
  it('are answered independently, in every order, each with what was said to it', { timeout: 240_000 }, async () => {
    const orders = permutations(three);
    const { activities, minutes } = badAccount();
    const runs = orders.map(
      (order) => `wf-ask-${order.map((stage) => stage.at(-1)).join('')}-${orders.indexOf(order)}`,
    );
    const wanted = { 'predict-base': 11, grpo: 22, 'predict-sft': 33 } satisfies Record<Waiting, number>;
    await withWorkers(activities, runs, async (client) => {
      await Promise.all(
        orders.map(async (order, index) => {
          const run = runs[index] ?? '';
          const handle = await start(client, run);
          const asking = await waitingFor(client, run, 3);
          expect(asking.status).toBe('waiting');
          expect(asking.questions.map(({ id }) => id).toSorted()).toEqual([
            'grpo-1',
            'predict-base-1',
            'predict-sft-1',
          ]);
          for (const [answered, stage] of order.entries()) {
            expect((await view(client, run)).status).toBe('waiting');
            await answer(client, run, { stage, action: 'retry', timeLimitMinutes: wanted[stage] });
            const left = await view(client, run);
            expect(left.questions.map((one) => one.stage).toSorted()).toEqual(order.slice(answered + 1).toSorted());
          }
          expect((await handle.result()).passed).toBe(true);
          expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['passed']);
          for (const stage of three) expect(minutes[`${run} ${stage}`]).toBe(wanted[stage]);
        }),
      );
    });
  });

  it(
    'end with the one that is aborted, whichever it is, before and after another went on',
    { timeout: 240_000 },
    async () => {
      const pairs = three.flatMap((aborted) =>
        three.filter((one) => one !== aborted).map((one) => ({ aborted, retried: one })),
      );
      const { activities, calls } = badAccount();
      const runs = pairs.map((_, index) => `wf-abort-one-${index}`);
      await withWorkers(activities, runs, async (client) => {
        await Promise.all(
          pairs.map(async ({ aborted, retried }, index) => {
            const run = runs[index] ?? '';
            const handle = await start(client, run);
            await waitingFor(client, run, 3);
            await answer(client, run, { stage: retried, action: 'retry' });
            await until(
              async () => calls,
              (list) => list.includes(`publishJob ${retried} a2`),
            );
            await answer(client, run, { stage: aborted, action: 'abort' });
            await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
            const ended = await view(client, run);
            expect(ended).toMatchObject({ status: 'aborted', questions: [] });
            expect(ended.stages.filter(({ status }) => status === 'failed').map(({ stage }) => stage)).toEqual([
              aborted,
            ]);
          }),
        );
      });
    },
  );

  it('are shown on the page and refuse, in one sentence, what is no answer to them', async () => {
    const { activities } = badAccount();
    const run = 'wf-refusals';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      expect(await refusal(client, run, { stage: 'sft', action: 'retry' })).toMatch(/does not ask about stage "sft"/);
      await waitingFor(client, run, 3);
      const retry = { stage: 'grpo', action: 'retry' };
      const cases: [unknown, string][] = [
        [{ stage: 'sft', action: 'retry' }, 'the run does not ask about stage "sft" now: it asks '],
        [{ ...retry, action: 'go' }, 'answer.action: expected retry, skip or abort, got "go"'],
        [{ ...retry, action: 'skip' }, 'stage "grpo" cannot be skipped'],
        [{ ...retry, question: 'predict-sft-1' }, 'question "predict-sft-1" of stage "grpo" is not open'],
        [{ ...retry, excludeNodes: 'n1' }, 'answer.excludeNodes: expected at most 1000 names of nodes'],
        [
          { ...retry, timeLimitMinutes: '30' },
          'answer.timeLimitMinutes: expected a whole number from 1 to 525600, got "30"',
        ],
        [{ ...retry, memoryFactor: -2 }, 'answer.memoryFactor: expected a number above 0, at most 64, got -2'],
        [{ ...retry, memoryFactor: 2 }, 'answer.memoryFactor: the recipe gives grpo no resources.memory_mib'],
      ];
      for (const [said, sentence] of cases) expect(await refusal(client, run, said)).toContain(sentence);
      for (const stage of three) await answer(client, run, { stage, action: 'retry', question: `${stage}-1` });
      expect((await handle.result()).passed).toBe(true);
    });
  });

  it('are asked under new ids the next time: an answer to what is closed is refused', async () => {
    let tries = 0;
    const { activities } = stubs({
      collectAttempt: async ({ order }) => {
        if (order.stage !== 'sft') return completed;
        tries += 1;
        return tries > 2 ? completed : { ...completed, jobClass: 'bad-config', evidence: `exit 78, try ${tries}` };
      },
    });
    const run = 'wf-stale';
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const first = await waitingFor(client, run, 1);
      expect(first.questions[0]).toMatchObject({ id: 'sft-1', stage: 'sft' });
      await answer(client, run, { stage: 'sft', action: 'retry', question: 'sft-1' });
      await until(
        () => view(client, run),
        ({ questions }) => questions[0]?.id === 'sft-2',
      );
      expect(await refusal(client, run, { stage: 'sft', action: 'abort', question: 'sft-1' })).toBe(
        'question "sft-1" of stage "sft" is not open: it was answered, or never asked; it asks sft-2',
      );
      await answer(client, run, { stage: 'sft', action: 'retry' });
      expect((await handle.result()).passed).toBe(true);
    });
  });
});
