/** Heartbeats of many watchers in one worker. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { PolledState } from '../../../activities/jobs/watching/polled-state.ts';
import { createWatchActivities } from '../../../activities/jobs/watching/watching.ts';
import { activityEnvironment, inActivity, temporaryFolder } from '../fixtures.ts';
import { name, order } from './job-worker.ts';
import { lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

const seconds = 24;
const unknown: PolledState = { kind: 'unknown', why: 'nobody was asked' };
const poller = { watch: () => ({ state: () => unknown, hurry: () => undefined, close: () => undefined }) };

/** Heartbeats of each of so many watchers of one worker in 24 seconds. */
async function heartbeatsOfEach(watchers: number): Promise<number[]> {
  const activities = createWatchActivities({ poller, job: { fileIntervalMs: 500 } });
  const directory = join(await temporaryFolder(), 'a1');
  await mkdir(directory);
  const known = { state: 'RUNNING', told: [] };
  const { stage, watch } = order;
  const asked = { attempt: { name, directory, attempt: 1 }, jobId: '7', stage, totalSteps: 10, watch, known };
  const environments = Array.from({ length: watchers }, () => activityEnvironment());
  setTimeout(() => environments.forEach(({ env }) => env.cancel()), seconds * 1000);
  await lived(async () =>
    Promise.allSettled(environments.map(({ env }) => inActivity(env, async () => activities.watchJob(asked)))),
  );
  return environments.map(({ heartbeats }) => heartbeats.length);
}

describe('watchers of one worker', () => {
  it('heartbeat at every look while they are few', async () => {
    const [each = 0] = await heartbeatsOfEach(1);
    expect(each).toBeGreaterThanOrEqual(2 * seconds - 1);
  });

  it('share 50 heartbeats a second, and each still sends one within two seconds of its turn', async () => {
    const watchers = 200;
    const each = await heartbeatsOfEach(watchers);
    const sum = each.reduce((total, one) => total + one, 0);
    expect(sum / seconds).toBeLessThan(60);
    expect(Math.min(...each)).toBeGreaterThanOrEqual(seconds / 4 - 2);
  });

  it('that are very many heartbeat every eight seconds, well within the timeout', async () => {
    expect(Math.min(...(await heartbeatsOfEach(600)))).toBeGreaterThanOrEqual(seconds / 8);
  });
});
