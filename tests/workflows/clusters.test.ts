/** Several clusters on one real Temporal server, with the real queues: each does its own work, is told of its own runs, and nobody of another's. */
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { describe, expect, inject, it } from 'vitest';
import { scheduleOf } from '../../cli/commands/schedule/schedules.ts';
import { type Cluster, caretakerId, queueOf } from '../../domain/clusters.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { ensureCaretaker, keepCaretaker } from '../../workers/caretaker.ts';
import { createWorkers } from '../../workers/queues.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import type { runNight } from '../../workflows/nights/run-night.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { plan, stubs, until } from './harness.ts';
import { aNight } from '../domain/night-fixture.ts';

type Stubs = ReturnType<typeof stubs>;
const clusters: readonly Cluster[] = [undefined, 'a', 'b'];

/** Workers of three clusters as production has them, but for activities. `of` gives the stubs of one. */
async function withClusters(
  overrides: (cluster: Cluster) => Parameters<typeof stubs>[0],
  work: (client: Client, of: (cluster: Cluster) => Stubs) => Promise<void>,
): Promise<void> {
  const address = inject('temporalAddress');
  const connection = await NativeConnection.connect({ address });
  const made = new Map(clusters.map((cluster) => [cluster, stubs(overrides(cluster))]));
  const of = (cluster: Cluster) => made.get(cluster) ?? stubs({});
  const workers = await Promise.all(
    clusters.map((cluster) =>
      createWorkers({ connection, namespace: 'default', cluster }, of(cluster).activities, {
        cachedWorkflows: 10,
        watchers: 10,
      }),
    ),
  );
  const running = workers.flat().map((worker) => worker.run());
  const client = new Client({ connection: await Connection.connect({ address }) });
  try {
    await work(client, of);
  } finally {
    for (const worker of workers.flat()) worker.shutdown();
    await Promise.all(running);
    await client.connection.close();
    await connection.close();
  }
}

const night = aNight({ name: 'of-a', cluster: 'a' });

const namesOf = ({ calls }: Stubs) => calls.map((call) => call.split(' ')[0]);

const start = (client: Client, run: string, cluster: Cluster) =>
  client.workflow.start<typeof trainCritic>('trainCritic', {
    workflowId: run,
    taskQueue: queueOf('workflows', cluster),
    args: [plan(run)],
  });

describe('clusters on one Temporal server', () => {
  it('each does all the work of its own runs and nights, and none of another’s', async () => {
    const child = 'wf-clusters-night-run';
    const beginNight: Stubs['activities']['beginNight'] = async () => ({
      plan: plan(child),
      commit: null,
      deadline: null,
    });
    await withClusters(
      () => ({ beginNight }),
      async (client, of) => {
        await (await start(client, 'wf-clusters-b', 'b')).result();
        // One of each queue.
        for (const name of ['prepareRun', 'submitJob', 'watchJob', 'synthesizeCritiques', 'writeReport'])
          expect(namesOf(of('b'))).toContain(name);
        expect(of('a').calls).toEqual([]);
        const done = of('b').calls.length;

        const { action } = scheduleOf(night);
        const { workflowId, taskQueue } = { workflowId: '', ...action };
        expect(taskQueue).toBe('critic@a');
        await client.workflow.execute<typeof runNight>('runNight', { workflowId, taskQueue, args: [night] });
        expect(namesOf(of('a'))).toEqual(
          expect.arrayContaining(['takeNightTurn', 'submitJob', 'watchJob', 'digestNight']),
        );
        const { taskQueue: ofRun } = await client.workflow.getHandle(child).describe();
        expect(ofRun).toBe('critic@a');
        expect(of('b').calls).toHaveLength(done);
        expect(of(undefined).calls).toEqual([]);
      },
    );
  });

  it('each has a caretaker that looks for its own orphans and answers for its own store', async () => {
    const settings = { reaperIntervalMs: 1000 };
    await withClusters(
      (cluster) => ({ answerInquiry: async () => ({ from: cluster ?? null }) }),
      async (client, of) => {
        for (const cluster of clusters) await ensureCaretaker(client, settings, cluster);
        for (const cluster of clusters) {
          const asked = client.workflow.getHandle(caretakerId(cluster));
          const reply = await asked.executeUpdate('inquire', { args: [{ name: 'gc', input: {} }] });
          expect(reply).toEqual({ from: cluster ?? null });
          await until(
            async () => of(cluster).calls,
            (calls) => calls.includes('findOrphans'),
          );
        }
        await client.workflow.getHandle(caretakerId('a')).terminate();
        await keepCaretaker(client, settings, 'b');
        expect((await client.workflow.getHandle(caretakerId('a')).describe()).status.name).toBe('TERMINATED');
        await keepCaretaker(client, settings, 'a');
        for (const cluster of clusters) {
          const handle = client.workflow.getHandle(caretakerId(cluster));
          expect((await handle.describe()).status.name).toBe('RUNNING');
          await handle.terminate();
        }
      },
    );
  });

  it('each tells people of its own runs alone', async () => {
    const runs = { a: 'wf-clusters-told-a', b: 'wf-clusters-told-b' };
    await withClusters(
      () => ({}),
      async (client) => {
        const handles = [await start(client, runs.a, 'a'), await start(client, runs.b, 'b')];
        await Promise.all(handles.map((handle) => handle.result()));
        const told = async (cluster: Cluster) => {
          const notices: Notice[] = [];
          const begun = async () => new Date(Date.now() - 3_600_000);
          const put = async (notice: Notice) => notices.push(notice);
          await new RunObserver(client, { begun, put }, cluster).look(new Date());
          return notices.flatMap(({ run }) => (run !== undefined && Object.values(runs).includes(run) ? [run] : []));
        };
        await until(
          () => told('a'),
          (found) => found.length > 0,
        );
        await until(
          () => told('b'),
          (found) => found.length > 0,
        );
        expect(await Promise.all(clusters.map(told))).toEqual([[], [runs.a], [runs.b]]);
      },
    );
  });
});
