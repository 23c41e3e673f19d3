/** Experiments that come to no report, on a real Temporal server: what they show, what people are told, and how they are resumed. */
import { ApplicationFailure } from '@temporalio/common';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { experimentStatus } from '../../cli/commands/experiment/look.ts';
import { resumeExperiment } from '../../cli/commands/experiment/run.ts';
import type { Activities } from '../../activities/index.ts';
import type { Experiment, ExperimentView } from '../../domain/experiment/experiment.ts';
import { taskQueues } from '../../domain/names.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { ExperimentObserver } from '../../workers/experiment-observer.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import type { runExperiment } from '../../workflows/run-experiment.ts';
import { experiment } from './experiments.ts';
import { stubs, until, withWorkers } from './harness.ts';
import { forever } from './nights.ts';
import { resetBefore } from './reset-before.ts';

/** Looks until a notice of this kind is told; gives all of this experiment. */
async function observed(client: Client, id: string, of: Notice['kind']): Promise<Notice[]> {
  const kept = new Map<string, Notice>();
  const observer = new ExperimentObserver(client, {
    begun: async () => new Date(Date.now() - 3_600_000),
    put: async (notice) => kept.set(notice.id, kept.get(notice.id) ?? notice),
  });
  const mine = () => [...kept.values()].filter((notice) => notice.id.startsWith(`${id}-`));
  for (const end = Date.now() + 100_000; Date.now() < end && !mine().some(({ kind }) => kind === of);) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await observer.look(new Date());
  }
  return mine();
}

const begin = (client: Client, workflowId: string, given: Experiment): Promise<WorkflowHandle<typeof runExperiment>> =>
  client.workflow.start<typeof runExperiment>('runExperiment', {
    workflowId,
    taskQueue: taskQueues.workflows,
    args: [given],
  });

describe('an experiment', () => {
  it('whose report fails for good is failed, is told, and is resumed by its history alone', async () => {
    const id = 'experiment-no-report';
    let isMended = false;
    const reported: string[] = [];
    const writeExperimentReport: Activities['writeExperimentReport'] = async (input) => {
      reported.push(input.id);
      if (isMended) return { path: '/store/report.html', summary: 'a table' };
      throw ApplicationFailure.nonRetryable('the report is bad', 'ConfigInvalid');
    };
    const { activities } = stubs({ writeExperimentReport });
    await withWorkers(activities, id, async (client) => {
      const handle = await begin(client, id, experiment('no-report', ['a', 'b']));
      await expect(handle.result()).rejects.toThrow('failed');
      expect(await handle.query<ExperimentView>('experiment')).toMatchObject({ status: 'failed' });
      const told = await observed(client, id, 'failed');
      expect(told).toMatchObject([{ title: `${id} has failed before its report` }]);
      expect(told[0]?.text).toContain('the report is bad');
      expect(told[0]?.commands).toContain(`critic experiment resume ${id}`);
      const seen = await experimentStatus(client, id);
      expect(seen).toMatchObject({
        status: 'failed',
        report: null,
        trouble: expect.stringContaining('the report is bad'),
      });
      // From the history: the same that the workflow said.
      expect(seen.members).toEqual((await handle.query<ExperimentView>('experiment')).members);
      isMended = true;
      const again = await resumeExperiment(client, id);
      expect(await client.workflow.getHandle<typeof runExperiment>(again).result()).toMatchObject({
        summary: 'a table',
      });
      expect(reported).toEqual([id, again]);
    });
  });

  it('whose report is tried again for ever tells so while it is', async () => {
    const id = 'experiment-store-away';
    let isMended = false;
    const writeExperimentReport: Activities['writeExperimentReport'] = async () => {
      if (isMended) return { path: '/store/report.html', summary: 'a table' };
      throw ApplicationFailure.retryable('the store is away', 'StoreUnavailable');
    };
    const { activities } = stubs({ writeExperimentReport });
    await withWorkers(activities, id, async (client) => {
      const handle = await begin(client, id, experiment('store-away', ['a', 'b']));
      const told = await observed(client, id, 'waiting');
      expect(told).toMatchObject([{ title: `${id} cannot go on: its report cannot be written` }]);
      expect(told[0]?.text).toContain('the store is away');
      const seen = await experimentStatus(client, id);
      expect(seen).toMatchObject({ status: 'running', trouble: 'its report is tried again: the store is away' });
      isMended = true;
      await handle.result();
      expect(await experimentStatus(client, id)).toMatchObject({ status: 'completed', trouble: null });
    });
  }, 120_000);

  it('whose workflow code cannot go on is told; so is its end by hand', async () => {
    const id = 'experiment-stuck';
    const { activities } = stubs({ watchJob: forever });
    await withWorkers(activities, 'experiment-good', async (client) => {
      await (await begin(client, 'experiment-good', experiment('good', ['a', 'b']))).cancel();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const handle = await begin(client, id, { name: 'stuck' } as Experiment);
      const [told] = await observed(client, id, 'stuck');
      expect(told?.title).toBe(`${id} is stuck: its workflow code cannot go on`);
      expect(told?.text).toMatch(/undefined/);
      await handle.terminate('by hand');
      await until(
        async () => client.workflow.count(`WorkflowId = '${id}' AND ExecutionStatus = 'Terminated'`),
        ({ count }) => count === 1,
      );
      expect(await observed(client, id, 'failed')).toMatchObject([
        { title: `${id} was terminated before its report`, text: expect.stringContaining('by hand') },
      ]);
    });
  }, 120_000);

  it('that a person resets goes on: nobody is told that it was terminated', async () => {
    const id = 'experiment-reset';
    let isHeld = true;
    const writeExperimentReport: Activities['writeExperimentReport'] = async () =>
      isHeld ? forever() : { path: '/store/report.html', summary: 'a table' };
    const { activities, calls } = stubs({ writeExperimentReport });
    await withWorkers(activities, id, async (client) => {
      await begin(client, id, experiment('reset', ['a', 'b']));
      await until(async () => calls.includes('writeExperimentReport'), Boolean);
      isHeld = false;
      await resetBefore(client, id, 'writeExperimentReport');
      await client.workflow.getHandle(id).result();
      await until(
        async () => client.workflow.count(`WorkflowId = '${id}' AND ExecutionStatus != 'Running'`),
        ({ count }) => count === 2,
      );
      const told: Notice[] = [];
      const begun = async () => new Date(Date.now() - 3_600_000);
      await new ExperimentObserver(client, { begun, put: async (notice) => told.push(notice) }).look(new Date());
      expect(told.filter((notice) => notice.id.startsWith(`${id}-`))).toEqual([]);
    });
  });

  it('that a person resets after its end comes to another one, which is told too', async () => {
    const id = 'experiment-reset-later';
    const told: string[] = [];
    const tellPeople: Activities['tellPeople'] = async ({ notice }) => {
      told.push(notice.id);
      return 'put';
    };
    const { activities } = stubs({
      writeExperimentReport: async () => ({ path: '/store/report.html', summary: 'a table' }),
      tellPeople,
    });
    await withWorkers(activities, id, async (client) => {
      const first = await begin(client, id, experiment('reset-later', ['a', 'b']));
      await first.result();
      await resetBefore(client, id, 'writeExperimentReport');
      await until(
        async () => told.length,
        (count) => count === 2,
      );
      await client.workflow.getHandle(id).result();
      expect(new Set(told).size).toBe(2);
    });
  });

  it('that is cancelled is one notice, and not one for each of its runs; a run that is cancelled alone is told', async () => {
    const id = 'experiment-called-off';
    const { activities } = stubs({ watchJob: forever });
    await withWorkers(activities, id, async (client) => {
      const handle = await begin(client, id, experiment('called-off', ['a', 'b', 'c']));
      const members = async () => (await handle.query<ExperimentView>('experiment')).members;
      const going = await until(members, (all) => all.filter(({ status }) => status === 'running').length > 1);
      const alone = going[0]?.run ?? '';
      await client.workflow.getHandle(alone).cancel();
      await until(members, (all) => all[0]?.status === 'cancelled');
      const told: Notice[] = [];
      const outbox = {
        begun: async () => new Date(Date.now() - 3_600_000),
        put: async (notice: Notice) => told.push(notice),
      };
      const observers = [new RunObserver(client, outbox), new ExperimentObserver(client, outbox)];
      const ofRuns = () => told.flatMap(({ run = '' }) => (run.startsWith('called-off') ? [run] : []));
      await until(
        async () => observers[0]?.look(new Date()),
        () => ofRuns().length > 0,
      );
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow('cancelled');
      const runs = (await client.workflow.count(`WorkflowId STARTS_WITH 'called-off' AND ExecutionStatus = 'Canceled'`))
        .count;
      expect(runs).toBeGreaterThan(1);
      for (const observer of observers) await observer.look(new Date());
      expect(ofRuns()).toEqual([alone]);
      expect(told.filter((notice) => notice.id.startsWith(`${id}-`))).toMatchObject([{ kind: 'cancelled' }]);
    });
  });
});
