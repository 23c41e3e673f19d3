/** Ending a job with a checkpoint, on a Slurm in memory: it is asked, waited for, and cancelled only if it does not go. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { createEndingActivities } from '../../../activities/jobs/ending.ts';
import { translatedAll } from '../../../activities/failure.ts';
import { Accounting } from '../../../activities/jobs/accounting.ts';
import { activityEnvironment, inActivity, rejection } from '../fixtures.ts';
import { job } from './fake-slurm.ts';
import { cluster, exists, name } from './job-worker.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

async function ending(...states: string[]) {
  const { slurm, store, folder } = await cluster();
  for (const [index, state] of states.entries()) slurm.jobs.push(job(String(7 + index), { name, state }));
  if (states.includes('RUNNING')) await mkdir(join(folder, 'claim'));
  const at = Date.now();
  const end = async () => {
    // Each try is one of a worker that has just started.
    const all = { store, slurm, accounting: new Accounting(slurm), job: { userName: 'critic' } };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
    const deps = all as unknown as Parameters<typeof createEndingActivities>[0];
    return inActivity(activityEnvironment().env, () =>
      translatedAll(createEndingActivities(deps)).endJob({ name, seconds: 180 }),
    );
  };
  return {
    slurm,
    folder,
    end,
    /** What Slurm was told, without what it was asked. */
    told: () => slurm.asked.filter((what) => /^(USR2|cancel|KILL)/.test(what)),
    seconds: () => Math.round((Date.now() - at) / 1000),
    /** It takes the request and has saved after so long. */
    savesAfter: (ms: number) => {
      slurm.onAsk = (id) => {
        void writeFile(join(folder, 'checkpoint-requested'), '');
        setTimeout(() => slurm.end(id, 'FAILED'), ms);
      };
    },
  };
}

describe('a job that is ended', () => {
  it('is asked once for a checkpoint and is not cancelled while it saves', async () => {
    const { end, told, seconds, savesAfter } = await ending('RUNNING');
    savesAfter(100_000);
    expect(await lived(end)).toEqual({ jobId: '7' });
    expect(told()).toEqual(['USR2 7']);
    expect(seconds()).toBeGreaterThanOrEqual(100);
  });

  it('is asked again while it has not heard: a signal may be lost', async () => {
    const { end, told, slurm, savesAfter } = await ending('RUNNING');
    setTimeout(() => savesAfter(1_000), 20_000);
    slurm.onAsk = () => undefined;
    await lived(end);
    expect(told()).toEqual(['USR2 7', 'USR2 7', 'USR2 7']);
  });

  it('is cancelled when its time is up, and killed if TERM does not end it', async () => {
    const { end, told, seconds, slurm } = await ending('RUNNING');
    slurm.onSignal = (id, signal) => (signal === 'KILL' ? slurm.end(id, 'CANCELLED') : 'accepted');
    expect(await lived(end)).toEqual({ jobId: '7' });
    expect(told().slice(-2)).toEqual(['cancel 7', 'KILL 7']);
    expect(seconds()).toBeGreaterThanOrEqual(180);
    expect(seconds()).toBeLessThan(240);
  });

  it('is cancelled at once where it only waits, and its attempt is closed', async () => {
    const { end, told, seconds, folder } = await ending('PENDING');
    expect(await lived(end)).toEqual({ jobId: '7' });
    expect(told()).toEqual(['cancel 7']);
    expect(seconds()).toBeLessThan(5);
    expect(await exists(join(folder, 'claim'))).toBe(true);
  });

  it('need not be there', async () => {
    const { end, told } = await ending();
    expect(await lived(end)).toEqual({ jobId: null });
    expect(told()).toEqual([]);
  });

  it('is waited for, to be tried again, while Slurm does not answer', async () => {
    const { end, slurm } = await ending('RUNNING');
    slurm.down = true;
    expect(await rejection(lived(end))).toMatchObject({ type: 'SlurmUnavailable' });
  });

  it('ends, whenever the worker is killed', async () => {
    const first = await ending('RUNNING');
    first.slurm.onSignal = (id, signal) => (signal === 'KILL' ? first.slurm.end(id, 'CANCELLED') : 'accepted');
    const effects = await effectsOf(first.end);
    expect(effects).toContain('USR2 7');
    expect(effects).toContain('KILL 7');
    for (const moment of effects.keys()) {
      const { end, slurm } = await ending('RUNNING');
      slurm.onSignal = (id, signal) => (signal === 'KILL' ? slurm.end(id, 'CANCELLED') : 'accepted');
      await killedAt(moment, end);
      await lived(end);
      expect(slurm.jobs.map(({ state }) => state)).toEqual(['CANCELLED']);
    }
  });
});
