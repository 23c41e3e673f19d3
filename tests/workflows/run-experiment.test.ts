/** Experiments on a real Temporal server: their runs, a few at once, what fails, what is cancelled, and what people are told. */
import { ApplicationFailure } from '@temporalio/common';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { ExperimentReportInput } from '../../activities/experiments/data.ts';
import type { Experiment, ExperimentView } from '../../domain/experiment/experiment.ts';
import { packed } from '../../domain/experiment/packing.ts';
import { taskQueues } from '../../domain/names.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { runExperiment } from '../../workflows/run-experiment.ts';
import { experiment } from './experiments.ts';
import { stubs, until, withWorkers } from './harness.ts';
import { forever } from './nights.ts';

type Handle = WorkflowHandle<typeof runExperiment>;
const viewOf = (handle: Handle) => handle.query<ExperimentView>('experiment');

/** Begins an experiment, and gives what the report was asked for and what people were told. */
async function live(
  given: Experiment,
  overrides: Partial<Activities>,
  work: (handle: Handle, client: Client) => Promise<void>,
) {
  const told: Notice[] = [];
  const reported: ExperimentReportInput[] = [];
  const { activities } = stubs({
    tellPeople: async ({ notice }) => {
      told.push(notice);
      return 'put';
    },
    writeExperimentReport: async (input) => {
      reported.push(input);
      return { path: '/store/report.html', summary: 'a table' };
    },
    ...overrides,
  });
  const id = `experiment-${given.name}`;
  await withWorkers(activities, id, async (client) => {
    const handle = await client.workflow.start<typeof runExperiment>('runExperiment', {
      workflowId: id,
      taskQueue: taskQueues.workflows,
      args: [packed(given)],
    });
    await work(handle, client);
  });
  return { told, reported };
}

describe('an experiment', () => {
  it('has a run for each arm and seed, as many at once as it says, then a report and one notice', async () => {
    const plans: RunPlan[] = [];
    let [open, most] = [0, 0];
    const given = experiment('whole', ['a', 'b'], { seeds: [1, 2], owner: 'o' });
    const { told, reported } = await live(
      given,
      {
        checkDataset: async ({ plan }) => {
          plans.push(plan);
          open += 1;
          most = Math.max(most, open);
          await new Promise((resolve) => setTimeout(resolve, 300));
          return stubs({}).activities.checkDataset({ plan });
        },
        writeReport: async () => {
          open -= 1;
          return { path: '/store/runs/report.html', summary: '' };
        },
      },
      async (handle, client) => {
        const result = await handle.result();
        expect(result).toMatchObject({ id: 'experiment-whole', report: '/store/report.html', summary: 'a table' });
        expect(result.members.map(({ arm, seed, status, mainScore }) => [arm, seed, status, mainScore])).toEqual([
          ['a', 1, 'passed', 0.5],
          ['b', 1, 'passed', 0.5],
          ['a', 2, 'passed', 0.5],
          ['b', 2, 'passed', 0.5],
        ]);
        const [first] = result.members;
        expect(first?.run).toMatch(/^whole\.a\.s1-\d{8}-\d{6}$/);
        const seen = await client.workflow.getHandle(first?.run ?? '').describe();
        expect(seen.memo).toMatchObject({ experiment: 'experiment-whole', budgetUsd: 1 });
        expect(seen.searchAttributes).toMatchObject({ CriticRecipe: ['whole.a.s1'], CriticOwner: ['o'] });
        expect(await viewOf(handle)).toMatchObject({ status: 'done' });
      },
    );
    expect(most).toBe(2);
    // Two at once may ask in either order.
    const asked = plans.map(({ experiment: of, owner }) => ({ ...of, owner }));
    expect(asked).toHaveLength(4);
    expect(asked).toEqual(
      expect.arrayContaining(given.members.map(({ arm, seed }) => ({ id: 'experiment-whole', arm, seed, owner: 'o' }))),
    );
    expect(reported).toHaveLength(1);
    expect(reported[0]?.members.map(({ artifacts }) => artifacts)).toEqual(
      given.members.map(() => ({ evaluation: '0123abcd' })),
    );
    // The recipes of the runs are not sent again.
    expect(JSON.stringify(reported[0])).not.toContain('base_model');
    expect(told).toMatchObject([
      { kind: 'experiment-ended', id: expect.stringMatching(/^experiment-whole-[0-9a-f]{8}-ended$/) },
    ]);
    expect(told[0]?.title).toBe('experiment-whole: 4 runs');
  });

  it('goes on with the others when a run fails, and says which', async () => {
    const { told, reported } = await live(
      experiment('one-fails', ['a', 'b', 'c']),
      {
        checkDataset: async ({ plan }) => {
          if (plan.experiment?.arm === 'a') throw ApplicationFailure.nonRetryable('the dataset is bad', 'DataInvalid');
          return stubs({}).activities.checkDataset({ plan });
        },
      },
      async (handle) => {
        const { members } = await handle.result();
        expect(members.map(({ status }) => status)).toEqual(['failed', 'passed', 'passed']);
      },
    );
    expect(reported[0]?.members[0]).toMatchObject({ status: 'failed', sentence: 'the dataset is bad', artifacts: {} });
    expect(told[0]?.title).toBe('experiment-one-fails: 2 of 3 runs came to a verdict');
    expect(told[0]?.commands).toContain('critic experiment resume experiment-one-fails');
  });

  it('that is cancelled cancels its runs, and writes no report', async () => {
    const { reported } = await live(
      experiment('cancelled', ['a', 'b', 'c']),
      { watchJob: forever },
      async (handle, client) => {
        const { members } = await until(
          () => viewOf(handle),
          (view) => view.members.filter(({ status }) => status === 'running').length === 2,
        );
        await handle.cancel();
        await expect(handle.result()).rejects.toThrow('cancelled');
        const states = await Promise.all(
          members
            .flatMap(({ run }) => run ?? [])
            .map(async (run) => (await client.workflow.getHandle(run).describe()).status.name),
        );
        expect(states).toEqual(['CANCELLED', 'CANCELLED']);
        expect(await viewOf(handle)).toMatchObject({
          status: 'cancelled',
          members: [{ status: 'cancelled' }, { status: 'cancelled' }, { status: 'pending', run: null }],
        });
      },
    );
    expect(reported).toEqual([]);
  });

  it('that is terminated leaves its runs alone', async () => {
    await live(experiment('terminated', ['a', 'b'], { at_most: 1 }), { watchJob: forever }, async (handle, client) => {
      const { members } = await until(
        () => viewOf(handle),
        (view) => view.members.some(({ status }) => status === 'running'),
      );
      await handle.terminate();
      const child = client.workflow.getHandle(members[0]?.run ?? '');
      expect((await child.describe()).status.name).toBe('RUNNING');
      await child.cancel();
      await expect(child.result()).rejects.toThrow('cancelled');
    });
  });

  it('gives two runs of one name and second ids of their own, and passes on which run a member resumes', async () => {
    const given = experiment('same', ['a', 'b']);
    const [first] = given.members;
    const name = 'twins';
    const members = given.members.map((member) => ({
      ...member,
      recipe: { ...member.recipe, name },
      ...(member === first ? { resumes: 'earlier-run' } : {}),
    }));
    const plans: RunPlan[] = [];
    await live(
      { ...given, members },
      {
        checkDataset: async ({ plan }) => {
          plans.push(plan);
          return stubs({}).activities.checkDataset({ plan });
        },
      },
      async (handle) => {
        const runs = (await handle.result()).members.map(({ run }) => run);
        expect(new Set(runs).size).toBe(2);
      },
    );
    expect(plans.flatMap(({ resumes }) => resumes ?? [])).toEqual(['earlier-run']);
  });
});
