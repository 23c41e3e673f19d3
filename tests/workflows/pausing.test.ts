/** A run that is taken off the GPUs for a while. */
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { completed, histories, start, until, withWorkers } from './harness.ts';
import { bothWatched, lineOf, look, refusal, status, tell, working } from './working-jobs.ts';

describe('a run that is paused', () => {
  it(
    'has all its jobs save and end, begins nothing, and goes on from the checkpoints',
    { timeout: 120_000 },
    async () => {
      const run = 'wf-paused';
      const { activities, calls, given } = working(['sft', 'predict-base']);
      await withWorkers(activities, run, async (client) => {
        const handle = await start(client, run);
        await bothWatched(calls);
        expect(await tell(client, run, 'pause', { by: 'ada', note: 'a demo' })).toMatch(/^pausing/);
        const paused = await until(
          () => look(client, run),
          (view) => view.status === 'paused',
        );
        expect(paused.paused).toMatchObject({ by: 'ada', note: 'a demo' });
        expect([lineOf(paused, 'sft')?.status, lineOf(paused, 'predict-base')?.status]).toEqual(['paused', 'paused']);
        expect(await status(client, run)).toEqual(['paused']);
        expect(calls.filter((call) => call.startsWith('endJob')).toSorted()).toEqual([
          `endJob critic-${run}-predict-base-a1`,
          `endJob critic-${run}-sft-a1`,
        ]);
        const before = calls.length;
        await new Promise((resolve) => setTimeout(resolve, 1500));
        expect(calls.slice(before)).toEqual([]);
        expect(await tell(client, run, 'pause')).toMatch(/^paused already since .* by ada$/);
        expect(await tell(client, run, 'unpause')).toBe('it goes on');
        expect(await handle.result()).toMatchObject({ passed: true });
        expect(await tell(client, run, 'unpause').catch(() => 'it is over')).toBe('it is over');
      });
      expect(given['sft a2']).toMatchObject({ resumeFrom: '/c/sft-1' });
      expect(given['predict-base a2']).toMatchObject({ resumeFrom: '/c/predict-base-1' });
      expect(calls.filter((call) => call.startsWith('submitJob sft'))).toEqual([
        'submitJob sft a1',
        'submitJob sft a2',
      ]);
      expect(calls.filter((call) => call.startsWith('cancelJob'))).toEqual([]);
    },
  );

  it('stays paused over a cut and goes on after it', { timeout: 120_000 }, async () => {
    const run = 'wf-paused-cut';
    const { activities, calls, given } = working(['sft', 'predict-base']);
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run, {}, { historyEvents: 55 });
      await bothWatched(calls);
      await tell(client, run, 'pause');
      await until(
        async () => (await histories(client, run)).length,
        (count) => count > 1,
      );
      await until(
        () => look(client, run),
        (view) => view.status === 'paused',
      );
      expect(await status(client, run)).toEqual(['paused']);
      await tell(client, run, 'unpause');
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(given['sft a2']).toMatchObject({ resumeFrom: '/c/sft-1' });
    expect(calls.filter((call) => call.startsWith('submitJob sft'))).toEqual(['submitJob sft a1', 'submitJob sft a2']);
  });

  it('can be cancelled', async () => {
    const run = 'wf-paused-cancel';
    const { activities, calls } = working(['sft', 'predict-base']);
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await bothWatched(calls);
      await tell(client, run, 'pause');
      await until(
        () => look(client, run),
        (view) => view.status === 'paused',
      );
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
      const over = await look(client, run);
      expect([over.status, lineOf(over, 'sft')?.status]).toEqual(['cancelled', 'cancelled']);
      expect(await status(client, run)).toEqual(['cancelled']);
    });
    expect(calls.filter((call) => call.startsWith('submitJob')).toSorted()).toEqual([
      'submitJob predict-base a1',
      'submitJob sft a1',
    ]);
  });

  it('can be answered: the attempt waits for the end of the pause', async () => {
    const run = 'wf-paused-answer';
    const { activities, calls, given } = working(['predict-base'], {
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
      await tell(client, run, 'pause');
      const paused = await until(
        () => look(client, run),
        (view) => view.status === 'paused',
      );
      expect(paused.questions.map(({ id }) => id)).toEqual(['sft-1']);
      await tell(client, run, 'answer', { stage: 'sft', action: 'retry', timeLimitMinutes: 9 });
      await until(
        () => look(client, run),
        (view) => view.questions.length === 0 && lineOf(view, 'sft')?.status === 'paused',
      );
      expect(calls).not.toContain('prepareAttempt sft a2');
      // What is wanted meanwhile is for the attempt that begins then.
      expect(await tell(client, run, 'retry', { stage: 'sft', action: 'retry', partition: 'h200' })).toBe(
        'sft: attempt 2 has not begun; it begins with the changes',
      );
      expect(await refusal(tell(client, run, 'retry', { stage: 'sft', action: 'retry', anew: true }))).toBe(
        'stage "sft" has no attempt under way that could end, and "retry" changes nothing of the next one: say what is to change',
      );
      await tell(client, run, 'unpause');
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(given['sft a2']).toMatchObject({ timeLimitMinutes: 9, partition: 'h200' });
    expect(calls).not.toContain('prepareAttempt sft a3');
  });

  it('keeps what was done in the moment: a job that completes is published, and what follows waits', async () => {
    const run = 'wf-paused-done';
    const { activities, calls } = working(['sft'], { collectAttempt: async () => completed });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        async () => calls.includes('watchJob sft') && calls.includes('publishJob predict-base a1'),
        (both) => both,
      );
      await tell(client, run, 'pause');
      const paused = await until(
        () => look(client, run),
        (view) => view.status === 'paused',
      );
      expect([lineOf(paused, 'sft')?.status, lineOf(paused, 'grpo')?.status]).toEqual(['done', 'pending']);
      await tell(client, run, 'unpause');
      expect(await handle.result()).toMatchObject({ passed: true });
    });
    expect(calls.filter((call) => call.startsWith('submitJob sft'))).toEqual(['submitJob sft a1']);
  });

  it('refuses what is no pause, in one sentence', async () => {
    const run = 'wf-paused-refuses';
    const { activities, calls } = working(['sft']);
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(async () => calls.includes('watchJob sft'), Boolean);
      expect(await refusal(tell(client, run, 'pause', { until: 'noon' }))).toBe('pause.until: unknown key');
      expect(await refusal(tell(client, run, 'pause', { by: '' }))).toBe(
        'pause.by: expected 1 to 200 characters, got ""',
      );
      expect(await refusal(tell(client, run, 'unpause', 'now'))).toBe('pause: expected {"by"?, "note"?}, got "now"');
      expect((await look(client, run)).paused).toBeUndefined();
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
  });
});
