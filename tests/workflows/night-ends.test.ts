/** Nights whose own workflow cannot tell how it ends, or is held up, on a real Temporal server. */
import { ApplicationFailure } from '@temporalio/common';
import { expect, it } from 'vitest';
import { taskQueues } from '../../domain/names.ts';
import { digestNotice } from '../../domain/nights/night-digest.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { NightEnds } from '../../workers/night-ends.ts';
import type { runNight } from '../../workflows/nights/run-night.ts';
import { start, stubs, until, withWorkers } from './harness.ts';
import { forever, night } from './nights.ts';
import { resetBefore } from './reset-before.ts';

it('a night whose workflow code cannot go on is told, and that somebody terminated it, each once', async () => {
  const told: Notice[] = [];
  const put = async (notice: Notice) => {
    // Other files leave nights on the same server.
    if (notice.night === 'bad' && !told.some(({ id }) => id === notice.id)) told.push(notice);
  };
  const outbox = { put, begun: async () => new Date(Date.now() - 3_600_000) };
  const run = 'wf-night-ends';
  await withWorkers(stubs({}).activities, run, async (client) => {
    await (await start(client, run)).result(); // the harness replays a run
    const handle = await client.workflow.start('runNight', {
      workflowId: 'critic-night-bad-2026-11-29T01:00:00Z',
      taskQueue: taskQueues.workflows,
      args: [null], // what no code can read
      searchAttributes: { CriticNight: ['bad'] },
    });
    const looked = async (kind: Notice['kind']) => {
      const looker = new NightEnds(client, outbox);
      for (const end = Date.now() + 90_000; Date.now() < end && !told.some((one) => one.kind === kind);) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        await looker.look(new Date());
      }
      await new NightEnds(client, outbox).look(new Date());
    };
    await looked('stuck');
    expect(told).toMatchObject([
      {
        night: 'bad',
        title: 'night bad is stuck: its workflow code cannot go on',
        text: expect.stringContaining('null'),
      },
    ]);
    await handle.terminate('no use');
    await looked('night-failed');
    expect(told.slice(1)).toMatchObject([
      { title: 'night bad: its workflow was terminated, so no digest comes', text: expect.stringContaining('no use') },
    ]);
  });
}, 240_000);

it('a night whose store takes nothing is told to its own channels, and goes on once that is mended', async () => {
  const told = new Map<string, Notice>();
  const put = async (notice: Notice) => {
    if (notice.night === 'full') told.set(notice.id, notice);
  };
  const outbox = { put, begun: async () => new Date(Date.now() - 3_600_000) };
  let isFull = true;
  const { activities } = stubs({
    takeNightTurn: async () => {
      if (isFull) throw ApplicationFailure.create({ type: 'NoRoom', message: 'take night turn: no space is left' });
      return { turn: 1 };
    },
  });
  const id = 'wf-night-held-up';
  await withWorkers(activities, id, async (client) => {
    const handle = await client.workflow.start<typeof runNight>('runNight', {
      workflowId: id,
      taskQueue: taskQueues.workflows,
      args: [night('full', { tell: ['mail'] })],
      searchAttributes: { CriticNight: ['full'] },
    });
    for (const end = Date.now() + 120_000; Date.now() < end && told.size === 0;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await new NightEnds(client, outbox).look(new Date());
    }
    expect([...told.values()]).toMatchObject([
      { kind: 'waiting', title: 'night full is held up: take night turn: no space is left', to: ['mail'] },
    ]);
    isFull = false;
    expect(await handle.result()).toMatchObject({ verdict: 'passed' });
  });
}, 240_000);

it('a night that a person resets goes on: nobody is told that it was terminated', async () => {
  const id = 'wf-night-reset';
  let isHeld = true;
  const { activities, calls } = stubs({
    digestNight: async ({ night: own, at, run, outcome }) =>
      isHeld ? forever() : digestNotice(own, at, at, { run, outcome }),
  });
  await withWorkers(activities, id, async (client) => {
    await client.workflow.start<typeof runNight>('runNight', {
      workflowId: id,
      taskQueue: taskQueues.workflows,
      args: [night('reset')],
      searchAttributes: { CriticNight: ['reset'] },
    });
    await until(async () => calls.some((call) => call.startsWith('digestNight')), Boolean);
    isHeld = false;
    await resetBefore(client, id, 'digestNight');
    await client.workflow.getHandle(id).result();
    await until(
      async () => client.workflow.count(`WorkflowId = '${id}' AND ExecutionStatus = 'Terminated'`),
      ({ count }) => count === 1,
    );
    const told: Notice[] = [];
    const begun = async () => new Date(Date.now() - 3_600_000);
    await new NightEnds(client, { begun, put: async (notice) => told.push(notice) }).look(new Date());
    expect(told.filter((notice) => notice.night === 'reset')).toEqual([]);
  });
});
