/** The paths of nights, as tests/workflows/paths.test.ts has those of other workflows. */
import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { taskQueues } from '../../domain/names.ts';
import type { runNight } from '../../workflows/nights/run-night.ts';
import type { Path } from '../histories/paths.ts';
import { plan, stubs, withWorkers } from './harness.ts';
import { forever, night } from './nights.ts';

/** Walks this path with these activities. */
async function walk(path: Path, overrides: Partial<Activities>, work: (client: Client) => Promise<void>) {
  await withWorkers(stubs(overrides).activities, path, work);
}

describe('runNight', () => {
  /** A night of another name has a run of another id: all files share one server. */
  const begin = (client: Client, path: Path, name = 'n') =>
    client.workflow.start<typeof runNight>('runNight', {
      workflowId: path,
      taskQueue: taskQueues.workflows,
      args: [night(name, { at_deadline: 'stop' })],
    });

  it('begins a run and waits for its end', async () => {
    const path = 'run-night';
    await walk(path, {}, async (client) => {
      expect(await (await begin(client, path)).result()).toMatchObject({ verdict: 'passed' });
    });
  });

  it('writes the page of all nights as it ends', async () => {
    const path = 'run-night-page';
    let written = 0;
    const writeNightsPage = async () => {
      written += 1;
      return { path: '/store/nights.html' };
    };
    await walk(path, { writeNightsPage }, async (client) => {
      expect(await (await begin(client, path, 'paged')).result()).toMatchObject({ verdict: 'passed' });
    });
    expect(written).toBe(1);
  });

  it('stops its run at the deadline', async () => {
    const path = 'run-night-stopped';
    const run = 'n-stopped-run';
    let stop: (() => Promise<unknown>) | undefined;
    const overrides: Partial<Activities> = {
      watchJob: forever,
      beginNight: async () => {
        const deadline = new Date(Date.now() + 1000).toISOString();
        return { plan: plan(run), commit: null, deadline };
      },
      foreseeNight: async () => ({ endsAt: '2026-11-28T09:00:00.000Z' }),
      stopRun: async () => {
        await stop?.();
        return { saved: true };
      },
    };
    await walk(path, overrides, async (client) => {
      stop = () => client.workflow.getHandle(run).cancel();
      expect(await (await begin(client, path)).result()).toMatchObject({ verdict: 'stopped' });
    });
  });
});
