/** Nights on a real Temporal server: their turns, their runs, their deadlines, and what people are told. */
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Client } from '@temporalio/client';
import type { Activities } from '../../activities/index.ts';
import { type Stage, taskQueues } from '../../domain/names.ts';
import type { EarlierNight } from '../../domain/nights/night.ts';
import type { runNight } from '../../workflows/nights/run-night.ts';
import { artifact, plan, stubs, until, withWorkers } from './harness.ts';
import { forever, live, night } from './nights.ts';

const before: EarlierNight = { at: '2026-11-27T01:30:00.000Z', workflow: 'w', run: 'earlier-run', status: 'running' };

const describeRun = (client: Client, run: string) =>
  until(
    () =>
      client.workflow
        .getHandle(run)
        .describe()
        .catch(() => undefined),
    (seen) => seen !== undefined,
  );

describe('a night', () => {
  it('begins a run of its recipe, waits for its end, and tells how it ended', async () => {
    let seen: Awaited<ReturnType<typeof describeRun>>;
    const { result, told, calls } = await live(
      night('usual', { owner: 'o', tell: ['mail'] }),
      {},
      async (client, run) => {
        seen = await describeRun(client, run);
      },
    );
    expect(result).toMatchObject({ verdict: 'passed', run: 'usual-run', nothingNew: false, sentence: 'good' });
    expect(seen?.type).toBe('trainCritic');
    expect(seen?.searchAttributes).toMatchObject({
      CriticNight: ['usual'],
      CriticOwner: ['o'],
      CriticRecipe: ['test'],
    });
    expect(seen?.memo).toMatchObject({ tell: ['mail'], budgetUsd: 1 });
    expect(told).toMatchObject([{ kind: 'night-ended', run: 'usual-run', night: 'usual', to: ['mail'] }]);
    expect(told[0]?.title).toMatch(/^night usual of .* UTC passed the gate$/);
    expect(calls.filter((call) => call.startsWith('endNight'))).toHaveLength(1);
  });

  it('says "nothing new" where every artifact was there', async () => {
    const there = (stage: Stage) => async () => ({ ...artifact(stage, { test: 7, records: 100 }), reused: true });
    const { result, told, calls } = await live(night('same'), {
      checkDataset: there('dataset'),
      synthesizeCritiques: there('synthesis'),
      writePrompts: there('prompts'),
      mixRecords: there('mix'),
      evaluatePredictions: there('evaluation'),
      lookUpArtifact: async ({ stage }) => ({ key: 'k', artifact: await there(stage)() }),
    });
    expect(calls.some((call) => call.startsWith('submitJob'))).toBe(false);
    expect(result).toMatchObject({ verdict: 'passed', nothingNew: true });
    expect(told[0]?.title).toMatch(/passed the gate: nothing new$/);
  });

  it('with a wrong recipe is a notice with the faults, and pauses its schedule where it is to', async () => {
    const paused: string[] = [];
    const { result, told, calls } = await live(night('wrong', { pause_on_failure: true }), {
      beginNight: async () => {
        throw ApplicationFailure.nonRetryable('recipe "r.yaml": 1 fault\n  recipe.seed: expected …', 'ConfigInvalid');
      },
      pauseNight: async ({ note }) => {
        paused.push(note);
        return 'paused';
      },
    });
    expect(result).toMatchObject({ verdict: 'wrong-recipe', run: null });
    expect(told).toMatchObject([{ kind: 'night-failed', text: expect.stringContaining('recipe.seed: expected') }]);
    expect(told[0]?.commands).toEqual(['critic schedule unpause wrong', 'critic schedule trigger wrong']);
    expect(paused).toEqual([expect.stringContaining('recipe "r.yaml": 1 fault')]);
    expect(calls).not.toContain('checkDataset');
  });

  it('takes the next id if another run has taken its own', async () => {
    const asked: string[][] = [];
    const { result } = await live(night('second'), {
      beginNight: async ({ taken }) => {
        asked.push(taken);
        return { plan: plan(taken.length === 0 ? 'night-of-second' : 'second-run'), commit: null, deadline: null };
      },
    });
    expect(asked).toEqual([[], ['night-of-second']]);
    expect(result).toMatchObject({ run: 'second-run', verdict: 'passed' });
  });

  it('whose workflow is terminated leaves its run alone', async () => {
    const { activities } = stubs({ watchJob: forever });
    const id = 'night-of-left';
    await withWorkers(activities, [], async (client) => {
      const handle = await client.workflow.start<typeof runNight>('runNight', {
        workflowId: id,
        taskQueue: taskQueues.workflows,
        args: [night('left')],
      });
      await describeRun(client, 'left-run');
      await handle.terminate('by hand');
      await new Promise((resolve) => setTimeout(resolve, 500));
      const run = client.workflow.getHandle('left-run');
      expect((await run.describe()).status.name).toBe('RUNNING');
      await run.cancel();
      await run.result().catch(() => undefined);
    });
  });

  it('that is cancelled cancels its run', async () => {
    const { activities } = stubs({ watchJob: forever });
    await withWorkers(activities, 'night-of-ended', async (client) => {
      const handle = await client.workflow.start<typeof runNight>('runNight', {
        workflowId: 'night-of-ended',
        taskQueue: taskQueues.workflows,
        args: [night('ended')],
      });
      await describeRun(client, 'ended-run');
      await handle.cancel();
      await handle.result().catch(() => undefined);
      expect((await handle.describe()).status.name).toBe('CANCELLED');
      expect((await client.workflow.getHandle('ended-run').describe()).status.name).toBe('CANCELLED');
    });
  });

  it('that no worker took up within its catch-up is skipped, and people are told', async () => {
    const { result, told, calls } = await live(night('too-late', { catch_up_minutes: 0 }));
    expect(result).toMatchObject({ verdict: 'skipped', run: null });
    expect(told).toMatchObject([{ kind: 'night-skipped', title: expect.stringContaining('no worker took it up') }]);
    expect(calls.some((call) => call.startsWith('takeNightTurn'))).toBe(false);
  });

  it('that fails says so, with what to type', async () => {
    const checkDataset = async () => {
      throw ApplicationFailure.nonRetryable('no such rows', 'DataInvalid');
    };
    const { result, told } = await live(night('broken'), { checkDataset });
    expect(result).toMatchObject({ verdict: 'failed', sentence: expect.stringContaining('no such rows') });
    expect(told[0]).toMatchObject({
      kind: 'night-ended',
      commands: ['critic resume broken-run', 'critic status broken-run'],
    });
  });
});

describe('while the night before goes on, a night', () => {
  const busyFor = (times: number): Partial<Activities> => {
    let asked = 0;
    return { takeNightTurn: async () => ((asked += 1) <= times ? { turn: null, before } : { turn: 2 }) };
  };

  it('is skipped, and people are told why and what to type', async () => {
    const { result, told, calls } = await live(night('skipped'), {
      takeNightTurn: async () => ({ turn: null, before: { ...before, status: 'waiting' } }),
    });
    expect(result).toMatchObject({ verdict: 'skipped', run: null });
    expect(told).toMatchObject([
      { kind: 'night-skipped', commands: ['critic watch earlier-run', 'critic schedule describe skipped'] },
    ]);
    expect(told[0]?.text).toBe('the night of 2026-11-27 01:30 UTC waits for you: its run earlier-run asks a question');
    expect(calls.some((call) => call.startsWith('beginNight'))).toBe(false);
  });

  it('waits for its turn where it queues', async () => {
    const { result, calls } = await live(night('queued', { overlap: 'queue' }), busyFor(2));
    expect(result).toMatchObject({ verdict: 'passed' });
    expect(calls.filter((call) => /NightTurn|stopRun/.test(call)).map((call) => call.split(' ')[0])).toEqual([
      'takeNightTurn',
      'awaitNightTurn',
      'takeNightTurn',
      'awaitNightTurn',
      'takeNightTurn',
    ]);
  });

  it('stops that one and goes on from it where it takes over', async () => {
    const resumes: (string | undefined)[] = [];
    const stopped: string[] = [];
    const { result } = await live(night('over', { overlap: 'take-over' }), {
      ...busyFor(1),
      stopRun: async ({ run }) => {
        stopped.push(run);
        return { saved: true };
      },
      beginNight: async (request) => {
        resumes.push(request.resumes);
        return { plan: plan('over-run'), commit: null, deadline: null };
      },
    });
    expect(result).toMatchObject({ verdict: 'passed' });
    expect({ stopped, resumes }).toEqual({ stopped: ['earlier-run'], resumes: ['earlier-run'] });
  });
});

it('a night that has stopped the one before, and then finds its recipe wrong, leaves its run to the next one', async () => {
  let asked = 0;
  const ended: unknown[] = [];
  const waited: unknown[] = [];
  const { result } = await live(night('over-wrong', { overlap: 'take-over' }), {
    takeNightTurn: async ({ queues }) => {
      expect(queues).toBe(true);
      return (asked += 1) <= 1 ? { turn: null, before } : { turn: 2 };
    },
    awaitNightTurn: async (request) => void waited.push(request),
    stopRun: async () => ({ saved: true }),
    beginNight: async () => {
      throw ApplicationFailure.nonRetryable('1 fault', 'ConfigInvalid');
    },
    endNight: async (request) => void ended.push(request),
  });
  expect(result).toMatchObject({ verdict: 'wrong-recipe', run: null });
  expect(waited).toMatchObject([{ run: 'earlier-run' }]);
  expect(ended).toMatchObject([{ turn: 2, verdict: 'wrong-recipe', run: 'earlier-run' }]);
});

describe('a night with a deadline', () => {
  const due = (name: string, inMs: number): Partial<Activities> => ({
    watchJob: forever,
    beginNight: async () => ({
      plan: plan(`${name}-run`),
      commit: null,
      deadline: new Date(Date.now() + inMs).toISOString(),
    }),
  });
  const cancelRun = async (client: Client, run: string) => {
    await describeRun(client, run);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await client.workflow.getHandle(run).cancel();
  };

  it('says when it is known that it will not make it, and at the deadline stops as the night says', async () => {
    let asked: string | undefined;
    let canStop: (() => Promise<unknown>) | undefined;
    const { result, told } = await live(
      night('late', { deadline: '07:00', at_deadline: 'stop' }),
      {
        ...due('late', 1500),
        foreseeNight: async () => ({ endsAt: '2026-11-28T09:00:00.000Z' }),
        stopRun: async ({ run }) => {
          asked = run;
          await canStop?.();
          return { saved: true };
        },
      },
      async (client, run) => {
        canStop = () => client.workflow.getHandle(run).cancel();
        await describeRun(client, run);
      },
    );
    expect(asked).toBe('late-run');
    expect(result).toMatchObject({ verdict: 'stopped', run: 'late-run' });
    expect(told.map(({ kind, id }) => [kind, /-\d{6}-(.*)$/.exec(id)?.[1]])).toEqual([
      ['deadline', 'late-late-run'],
      ['deadline', 'deadline-late-run'],
      ['night-ended', 'ended-late-run'],
    ]);
  });

  it('goes on after it where the night says so', async () => {
    const { result, told, calls } = await live(night('on', { deadline: '07:00' }), due('on', 1000), cancelRun);
    expect(result).toMatchObject({ verdict: 'cancelled' });
    expect(told.map(({ kind }) => kind)).toEqual(['deadline', 'night-ended']);
    expect(calls.some((call) => call.startsWith('stopRun'))).toBe(false);
  });

  it('that ends before it says nothing of it, and nobody watches the clock any longer', async () => {
    let isOver = false;
    const foreseeNight = async () => {
      try {
        return await forever();
      } finally {
        isOver = true;
      }
    };
    const { result, told } = await live(night('early', { deadline: '07:00' }), {
      ...due('early', 60_000),
      watchJob: async () => ({ state: 'COMPLETED', reason: '', node: 'n1', over: true }),
      foreseeNight,
    });
    expect(result).toMatchObject({ verdict: 'passed' });
    expect(told.map(({ kind }) => kind)).toEqual(['night-ended']);
    expect(isOver).toBe(true);
  });

  it('ends as it ended though its page cannot be written, which is tried some times', async () => {
    let tried = 0;
    const writeNightsPage = async () => {
      tried += 1;
      throw ApplicationFailure.create({ type: 'NoRoom', message: 'disk full', nonRetryable: tried === 2 });
    };
    const { result } = await live(night('pageless'), { writeNightsPage });
    expect(result).toMatchObject({ verdict: 'passed' });
    expect(tried).toBe(2);
  });
});
