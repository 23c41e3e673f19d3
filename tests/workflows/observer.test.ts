/** The observer on a real Temporal server: what is told of runs, once, whatever their own code can say. */
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Client } from '@temporalio/client';
import { runs } from '../../cli/commands/runs.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { taskQueues } from '../../domain/names.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import { plan, start, stubs, until, withWorkers } from './harness.ts';
import { forever, night } from './nights.ts';
import { resetBefore } from './reset-before.ts';

/** Looks until a notice of this run fulfils `holds`, as the worker's timer does; gives all notices of the run. */
async function observed(client: Client, run: string, holds: (notice: Notice) => boolean): Promise<Notice[]> {
  const kept = new Map<string, Notice>();
  const begun = async () => new Date(Date.now() - 3_600_000);
  const observer = new RunObserver(client, {
    begun,
    put: async (notice) => kept.set(notice.id, kept.get(notice.id) ?? notice),
  });
  const mine = () => [...kept.values()].filter((notice) => notice.run === run);
  // A workflow task that fails is tried again after ten seconds and more.
  for (const end = Date.now() + 100_000; Date.now() < end && !mine().some(holds);) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await observer.look(new Date());
  }
  return mine();
}

describe('people are told', () => {
  it('what a run asks, each question once with what to type, and how it ended', async () => {
    const run = 'wf-observed-asks';
    const mixRecords = async () => {
      throw ApplicationFailure.nonRetryable('the mix is bad', 'DataInvalid');
    };
    const { activities } = stubs({ mixRecords });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const [asked, ...others] = await observed(client, run, ({ kind }) => kind === 'waiting');
      expect(others).toEqual([]);
      expect(asked).toMatchObject({
        title: `run ${run} waits for an answer about mix`,
        text: expect.stringContaining('the mix is bad'),
      });
      expect(asked?.commands).toContain(`npm run critic -- answer ${run} mix retry --question mix-1`);
      await handle.executeUpdate('answer', { args: [{ stage: 'mix', action: 'abort' }] });
      await expect(handle.result()).rejects.toThrow('failed');
      const told = await observed(client, run, ({ kind }) => kind === 'failed');
      expect(told).toMatchObject([{ title: `run ${run} has failed`, commands: [`npm run critic -- resume ${run}`] }]);
    });
  });

  it('that it passed, and with what score; that it has nothing new if all was reused', async () => {
    const run = 'wf-observed-passed';
    const evaluation = { stage: 'evaluation' as const, key: 'k', path: '/e', reused: true, counts: {}, cost: {} };
    const { activities } = stubs({ evaluatePredictions: async () => evaluation });
    await withWorkers(activities, run, async (client) => {
      await (await start(client, run)).result();
      const [told] = await observed(client, run, ({ kind }) => kind === 'passed');
      expect(told?.title).toBe(`run ${run} passed the gate: MainScore 0.500; nothing new, every stage was reused`);
    });
  });

  it('that it was terminated, which its own code cannot say', async () => {
    const run = 'wf-observed-terminated';
    const { activities } = stubs({ watchJob: () => new Promise(() => undefined) });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(
        async () => handle.query<{ stages: { status: string }[] }>('view'),
        ({ stages }) => stages.some(({ status }) => status === 'running'),
      );
      await handle.terminate('by hand');
      const [told] = await observed(client, run, ({ kind }) => kind === 'failed');
      expect(told).toMatchObject({ title: `run ${run} was terminated`, text: 'by hand' });
    });
  });

  it('nothing of an execution that a reset ended: the run goes on', async () => {
    const run = 'wf-observed-reset';
    const { activities, calls } = stubs({ watchJob: forever });
    await withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      await until(async () => calls.includes('watchJob sft'), Boolean);
      await resetBefore(client, run, 'sft-a0-look-up');
      await until(
        async () => client.workflow.count(`WorkflowId = '${run}' AND ExecutionStatus = 'Terminated'`),
        ({ count }) => count === 1,
      );
      // What is looked at later is told: by then the execution that was reset has been looked at too.
      await handle.terminate('by hand');
      const told = await observed(client, run, ({ text }) => text === 'by hand');
      expect(told.map(({ text }) => text)).toEqual(['by hand']);
    });
  });

  it('that its workflow code cannot go on, with the reason, while its status still says running', async () => {
    const run = 'wf-observed-stuck';
    const { activities } = stubs({});
    // The harness replays a run that it knows; another one is given a plan that the workflow's code cannot even read.
    await withWorkers(activities, 'wf-observed-passed', async (client) => {
      const handle = await client.workflow.start('trainCritic', {
        workflowId: run,
        taskQueue: taskQueues.workflows,
        args: [{ ...plan(run), recipe: { name: 'test' } }],
      });
      const [told] = await observed(client, run, ({ kind }) => kind === 'stuck');
      expect(told?.title).toBe(`run ${run} is stuck: its workflow code cannot go on`);
      expect(told?.text).toMatch(/undefined/);
      expect(await runs(client, { status: 'stuck', limit: 5 })).toMatchObject([{ run, status: 'stuck' }]);
      expect(await runs(client, { status: 'running', limit: 50 })).not.toContainEqual(expect.objectContaining({ run }));
      await handle.terminate('the test is over');
    });
  }, 120_000);
});

describe('the end of a run that a night has begun', () => {
  /** Ids of what the observer tells of the run at `now`. */
  const lookedAt = async (client: Client, run: string, at: Date): Promise<string[]> => {
    const kept: Notice[] = [];
    const begun = async () => new Date(Date.now() - 3_600_000);
    await new RunObserver(client, { begun, put: async (notice) => kept.push(notice) }).look(at);
    return kept.filter((notice) => notice.run === run).map(({ id }) => id);
  };
  const isOver = (client: Client, run: string) =>
    until(
      async () => client.workflow.count(`WorkflowId = '${run}' AND ExecutionStatus != 'Running'`),
      ({ count }) => count === 1,
    );

  it('is told by the digest alone; by the observer if the night was terminated before it', async () => {
    const [told, id] = ['night-once-run', 'critic-night-once-1'];
    let digest: (() => void) | undefined;
    const { activities } = stubs({
      digestNight: async ({ run }) => {
        await new Promise<void>((resolve) => (digest = resolve));
        return {
          id: 'digest',
          kind: 'night-ended',
          at: new Date().toISOString(),
          run,
          title: 't',
          text: '',
          commands: [],
        };
      },
    });
    await withWorkers(activities, id, async (client) => {
      const handle = await client.workflow.start('runNight', {
        workflowId: id,
        taskQueue: taskQueues.workflows,
        args: [night('night-once')],
      });
      await until(
        async () => digest,
        (held) => held !== undefined,
      );
      await isOver(client, told);
      // The digest is under way: nothing yet, but it is told if that takes more than an hour.
      expect(await lookedAt(client, told, new Date())).toEqual([]);
      expect(await lookedAt(client, told, new Date(Date.now() + 2 * 3_600_000))).toHaveLength(1);
      digest?.();
      await handle.result();
      expect(await lookedAt(client, told, new Date(Date.now() + 2 * 3_600_000))).toEqual([]);

      const other = await client.workflow.start('runNight', {
        workflowId: 'critic-night-once-2',
        taskQueue: taskQueues.workflows,
        args: [night('night-cut')],
      });
      await isOver(client, 'night-cut-run');
      await other.terminate('by hand');
      expect(await lookedAt(client, 'night-cut-run', new Date())).toHaveLength(1);
    });
  });
});
