/** What an operator may do to a run while it asks the teacher. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { teacherNeeded } from '../../domain/recipe/arms.ts';
import { artifact, start, stubs, until, withWorkers } from './harness.ts';
import { lineOf, look, refusal, tell } from './working-jobs.ts';

/** A teacher who answers once it may. `caps`: the cap at each begin; `ended`: how often it was broken off. */
function teacher() {
  const seen = { caps: [] as number[], ended: 0, isDone: false };
  const synthesizeCritiques: Activities['synthesizeCritiques'] = async ({ plan }) => {
    seen.caps.push(teacherNeeded(plan.recipe).budget_usd);
    try {
      while (!seen.isDone) {
        Context.current().heartbeat();
        await Context.current().sleep(50);
      }
    } catch (error) {
      if (error instanceof CancelledFailure) seen.ended += 1;
      throw error;
    }
    return artifact('synthesis');
  };
  return { seen, synthesizeCritiques };
}

describe('a run that asks the teacher', () => {
  it('stops to ask when it is paused, and asks for the rest when it is unpaused', { timeout: 60_000 }, async () => {
    const run = 'wf-synthesis-paused';
    const { seen, synthesizeCritiques } = teacher();
    const { activities, calls } = stubs({ synthesizeCritiques });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        async () => seen.caps.length,
        (count) => count === 1,
      );
      await tell(client, run, 'pause');
      const paused = await until(
        () => look(client, run),
        ({ status }) => status === 'paused',
      );
      expect(lineOf(paused, 'synthesis')?.status).toBe('paused');
      expect(seen).toMatchObject({ caps: [1], ended: 1 });
      seen.isDone = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(calls.some((call) => call.startsWith('mixRecords'))).toBe(false);
      await tell(client, run, 'unpause');
      expect(await handle.result()).toMatchObject({ passed: true });
      expect(seen.caps).toEqual([1, 1]);
    });
  });

  it('has nothing to begin again once it has its critiques', { timeout: 60_000 }, async () => {
    const run = 'wf-synthesis-over';
    const mended = { is: false };
    const mixRecords: Activities['mixRecords'] = async () => {
      if (!mended.is) throw ApplicationFailure.nonRetryable('the mix is bad', 'DataInvalid');
      return artifact('mix', { records: 100 });
    };
    const { activities } = stubs({ mixRecords });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        () => look(client, run),
        ({ questions }) => questions.length === 1,
      );
      const late = tell(client, run, 'retry', { stage: 'synthesis', action: 'retry', budgetUsd: 5 });
      expect(await refusal(late)).toContain('stage "synthesis" neither asks nor has a job under way');
      mended.is = true;
      await tell(client, run, 'answer', { stage: 'mix', action: 'retry' });
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });

  it('goes on under another cap, also one that it was given while it was paused', { timeout: 60_000 }, async () => {
    const run = 'wf-synthesis-capped';
    const { seen, synthesizeCritiques } = teacher();
    const { activities } = stubs({ synthesizeCritiques });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const asked = (times: number) =>
        until(
          async () => seen.caps.length,
          (count) => count === times,
        );
      await asked(1);
      const cap = (budgetUsd: number) => tell(client, run, 'retry', { stage: 'synthesis', action: 'retry', budgetUsd });
      expect(await cap(5)).toBe('synthesis: it stops, keeps what it has, and goes on with the cap 5 USD');
      await asked(2);
      expect(await refusal(cap(-1))).toContain('answer.budgetUsd: expected an amount above 0');
      await tell(client, run, 'pause');
      await until(
        () => look(client, run),
        ({ status }) => status === 'paused',
      );
      await cap(9);
      await tell(client, run, 'unpause');
      await asked(3);
      seen.isDone = true;
      expect(await handle.result()).toMatchObject({ passed: true });
      expect(seen).toMatchObject({ caps: [1, 5, 9], ended: 2 });
      expect(await refusal(cap(10)).catch(() => 'it is over')).toBe('it is over');
    });
  });

  it('can be cancelled while it was broken off', { timeout: 60_000 }, async () => {
    const run = 'wf-synthesis-cancelled';
    const { seen, synthesizeCritiques } = teacher();
    const { activities } = stubs({ synthesizeCritiques });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        async () => seen.caps.length,
        (count) => count === 1,
      );
      await tell(client, run, 'pause');
      await handle.cancel();
      await handle.result().catch(() => undefined);
      expect((await handle.describe()).status.name).toBe('CANCELLED');
    });
  });
});
