/** Stacks of a stuck job: asked for by a signal, waited for a while, never a reason to keep the job on its node. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createStackActivities } from '../../../activities/jobs/watching/stacks.ts';
import { activityEnvironment, inActivity, rejection } from '../fixtures.ts';
import { type Cluster, cluster, name } from './job-worker.ts';
import { lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

let at: Cluster;
beforeEach(async () => {
  at = await cluster();
  at.slurm.create(name, at.folder);
  at.slurm.change('7', { state: 'RUNNING' });
});

const stacks = () => join(at.folder, 'stacks.txt');

async function capture() {
  const { slurm, folder } = at;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const activities = createStackActivities({ slurm } as unknown as Parameters<typeof createStackActivities>[0]);
  const prepared = { name, directory: folder, attempt: 1 };
  const work = async () => activities.captureStacks({ prepared, jobId: '7' });
  return lived(() => inActivity(activityEnvironment().env, work));
}

/** The trainer writes this, so many seconds after the signal. */
function answers(...written: [seconds: number, text: string, file?: string][]): void {
  at.slurm.onSignal = () => {
    for (const [seconds, text, file = 'stacks.txt'] of written) {
      setTimeout(() => void writeFile(join(at.folder, file), text, { flag: 'a' }), seconds * 1000);
    }
    return 'accepted';
  };
}

/** Seconds, rounded, until the stacks are captured. */
async function secondsToCapture(): Promise<number> {
  const startedAt = Date.now();
  await capture();
  return Math.round((Date.now() - startedAt) / 1000);
}

describe('the stacks of a stuck job', () => {
  it('are what it wrote when it was signalled, once it has written all of them', async () => {
    answers([0.5, 'Thread 1\n'], [1.5, 'Thread 2\n']);
    expect(await capture()).toEqual({ path: stacks(), tail: 'Thread 1\nThread 2\n' });
    expect(at.slurm.asked).toEqual(['USR1 7']);
  });

  it('are empty after a quarter of a minute if it does not answer', async () => {
    answers();
    expect(await secondsToCapture()).toBe(16);
    expect(await capture()).toEqual({ path: stacks(), tail: '' });
  });

  it('with native frames are waited for as long as any rank writes', async () => {
    const begin = '=== native stacks at 2026-11-28T19:00:00Z\n';
    const end = '=== end of native stacks\n';
    const ranks: [number, string, string][] = [
      [0.1, begin, 'stacks-native.txt'],
      [0.2, begin, 'stacks-native-7.txt'],
      [0.8, 'ncclAllReduce\n', 'stacks-native-7.txt'],
      [5.5, end, 'stacks-native.txt'],
      [30.5, end, 'stacks-native-7.txt'],
    ];
    answers([0.5, 'Thread 1\n'], ...ranks);
    expect(await secondsToCapture()).toBe(31);
    // Another file of that kind of name is none of them.
    answers([0.5, 'Thread 1\n'], [0.1, 'something', 'stacks-native-notes.md']);
    expect(await secondsToCapture()).toBe(2);
  });

  it('with native frames that never end are waited for a minute', async () => {
    answers([0.5, 'Thread 1\n'], [0.1, '=== native stacks at now\n', 'stacks-native-1.txt']);
    expect(await secondsToCapture()).toBe(63);
  });

  it('are empty if the job ended meanwhile', async () => {
    at.slurm.end('7', 'FAILED');
    expect(await capture()).toEqual({ path: stacks(), tail: '' });
  });

  it('are empty if something else stands in their place', async () => {
    await mkdir(stacks());
    answers();
    expect(await capture()).toEqual({ path: stacks(), tail: '' });
  });

  it('are asked for again, below the first ones, by the worker after one that was killed', async () => {
    answers([0.5, 'Thread 1\n']);
    await capture();
    expect((await capture()).tail).toBe('Thread 1\nThread 1\n');
  });

  it('are a failure that can be tried again if slurmrestd does not answer', async () => {
    at.slurm.down = true;
    const error = await rejection(capture());
    expect(error).toMatchObject({ message: expect.stringContaining('does not answer') });
    expect(error).not.toMatchObject({ nonRetryable: true });
  });
});
