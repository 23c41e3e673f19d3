/** What the Temporal UI shows of a run while it goes on: its page, and the stages in the list. */
import { ApplicationFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Activities } from '../../activities/index.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import { completed, histories, start, stubs, until, withWorkers } from './harness.ts';
import { bothWatched, lineOf, look, status, tell, working } from './working-jobs.ts';

const usual = stubs({}).activities;
/** As a worker of this release prepares a run: it says where pages are served. */
const served: Pick<Activities, 'prepareRun'> = {
  prepareRun: async (input) => ({ ...(await usual.prepareRun(input)), pages: 'http://pages' }),
};

/** The current details, as the UI asks for them. */
async function page(client: Client, run: string): Promise<string> {
  const metadata = await client.workflow.getHandle(run).query('__temporal_workflow_metadata');
  return z.object({ currentDetails: z.string() }).parse(metadata).currentDetails;
}

async function stageOf(client: Client, run: string): Promise<unknown> {
  return (await client.workflow.getHandle(run).describe()).searchAttributes['CriticStage']?.[0];
}

describe('the list of runs', () => {
  it('names all stages under way, and none that has ended while others go on', { timeout: 60_000 }, async () => {
    const run = 'wf-board-stages';
    const { activities, calls, asked } = working(['sft', 'predict-base'], served);
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await bothWatched(calls);
      expect(await stageOf(client, run)).toBe('sft+predict-base');
      const retried = tell(client, run, 'retry', { stage: 'predict-base', action: 'retry', anew: true });
      expect(await retried).toContain('saves a checkpoint');
      await until(
        () => stageOf(client, run),
        (stage) => stage === 'sft',
      );
      asked.add(`critic-${run}-sft-a1`);
      await handle.result();
      expect(await stageOf(client, run)).toBe('report');
      expect(await page(client, run)).toContain(`[Report](http://pages/runs/${run}/report.html)`);
    });
  });

  it('does not say FAILED of a job before it is known how it ended, and says that it has checkpointed', async () => {
    const run = 'wf-board-checkpointed';
    const told = Promise.withResolvers<void>();
    const again = Promise.withResolvers<void>();
    const seen: (string | undefined)[] = [];
    const { activities } = working([], {
      watchJob: async ({ stage, attempt }) =>
        stage === 'sft' && attempt.attempt === 1
          ? { state: 'FAILED', reason: '', node: 'n1', over: true }
          : { state: 'COMPLETED', reason: '', node: 'n1', over: true },
      collectAttempt: async ({ order, prepared }) => {
        if (order.stage !== 'sft' || prepared.attempt > 1) return completed;
        await told.promise;
        const evidence = 'the trainer exited with 85 (it checkpointed and asks to be resumed)';
        return {
          ...completed,
          jobClass: 'checkpointed',
          slurmState: 'FAILED',
          evidence,
          checkpoint: '/c',
          progress: 5,
        };
      },
      submitJob: async ({ order, attempt }) => {
        if (order.stage === 'sft' && attempt === 2) await again.promise;
        return { jobId: `${attempt}`, adopted: false };
      },
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const sft = async () => lineOf(await look(client, run), 'sft');
      seen.push((await until(sft, (line) => line?.note === 'on n1'))?.jobState);
      told.resolve();
      const next = await until(sft, (line) => line?.attempt === 2);
      seen.push(next?.note);
      again.resolve();
      await handle.result();
    });
    expect(seen).toEqual([
      'ENDED',
      'attempt 1: checkpointed, the trainer exited with 85 (it checkpointed and asks to be resumed)',
    ]);
  });

  it('is as it was for a run that an earlier release began: its history has no other commands', async () => {
    const run = 'wf-board-earlier';
    const { activities } = stubs({});
    await withWorkers(activities, run, async (client) => {
      await (await start(client, run)).result();
      const [history] = await histories(client, run);
      const upserts = history?.events?.filter((event) => event.upsertWorkflowSearchAttributesEventAttributes);
      // Status twice, the score, five jobs, and the beginnings of twelve stages.
      expect(upserts).toHaveLength(2 + 1 + 5 + 12);
      expect(await page(client, run)).not.toContain('[Report]');
    });
  });
});

describe('the status in the list', () => {
  it('is pausing until all jobs have saved and ended, then paused, then running', { timeout: 60_000 }, async () => {
    const run = 'wf-board-pausing';
    const free = Promise.withResolvers<undefined>();
    const { activities, calls, asked } = working(['sft', 'predict-base'], {
      ...served,
      endJob: async ({ name }) => {
        await free.promise;
        asked.add(name);
        return { jobId: '101' };
      },
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await bothWatched(calls);
      await tell(client, run, 'pause');
      await until(
        () => status(client, run),
        (shown) => shown?.[0] === 'pausing',
      );
      expect(await page(client, run)).toMatch(/^\*\*pausing/);
      expect((await look(client, run)).status).toBe('running');
      free.resolve(undefined);
      await until(
        () => status(client, run),
        (shown) => shown?.[0] === 'paused',
      );
      await tell(client, run, 'unpause');
      await handle.result();
      expect(await status(client, run)).toEqual(['passed']);
    });
  });
});

describe('the page of a run', () => {
  it('says that the run is being cancelled while its jobs are ended', { timeout: 60_000 }, async () => {
    const run = 'wf-board-cancelling';
    const free = Promise.withResolvers<undefined>();
    const { activities, calls } = working(['sft', 'predict-base'], {
      ...served,
      cancelJob: async () => {
        await free.promise;
        return { jobId: '101' };
      },
    });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await bothWatched(calls);
      expect(await page(client, run)).toContain(`npm run critic -- cancel ${run}`);
      await handle.cancel();
      await until(
        () => page(client, run),
        (text) => text.startsWith('**cancelling'),
      );
      expect(await status(client, run)).toEqual(['running']);
      expect(await page(client, run)).not.toContain(`npm run critic -- cancel ${run}`);
      free.resolve(undefined);
      await expect(handle.result()).rejects.toThrow('cancelled');
      expect(await page(client, run)).toMatch(/^\*\*cancelled\*\*/);
    });
  });

  it(
    'says why an activity is tried again, as an observer sees it, until it succeeds',
    { timeout: 60_000 },
    async () => {
      const run = 'wf-board-trouble';
      let isMended = false;
      const { activities } = stubs({
        submitJob: async () => {
          if (!isMended) throw ApplicationFailure.retryable('slurmrestd does not answer', 'SlurmUnavailable');
          return { jobId: '7', adopted: false };
        },
      });
      await withWorkers(activities, run, async (client) => {
        const handle = await start(client, run);
        const begun = async () => new Date(Date.now() - 3_600_000);
        const observer = new RunObserver(client, { begun, put: async () => undefined });
        const told = await until(
          async () => {
            await observer.look(new Date());
            return page(client, run);
          },
          // The predictions of the base are told of on their own, and may be the first.
          (text) => /\| sft \|.*tried again/.test(text),
        );
        expect(told).toMatch(
          /\| ▶ \| sft \| running \| +SUBMITTING \| tried again, at \d\d:\d\d UTC: slurmrestd does not answer \|/,
        );
        expect(lineOf(await look(client, run), 'sft')?.trouble?.why).toBe('slurmrestd does not answer');
        isMended = true;
        await handle.result();
        expect(await page(client, run)).not.toContain('tried again');
      });
    },
  );

  it('does not take trouble for that of an activity that has succeeded meanwhile', async () => {
    const run = 'wf-board-late';
    const { activities, calls } = working(['sft', 'predict-base'], served);
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await bothWatched(calls);
      await handle.signal('trouble', { activityId: 'mix-a1-make', why: 'too old' });
      await handle.signal('trouble', { activityId: 'sft-a1-watch', why: 'now' });
      const text = await until(
        () => page(client, run),
        (seen) => seen.includes('tried again'),
      );
      expect(text).not.toContain('too old');
      await handle.signal('trouble', { activityId: 'sft-a1-watch' });
      await until(
        () => page(client, run),
        (seen) => !seen.includes('tried again'),
      );
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow('cancelled');
    });
  });
});
