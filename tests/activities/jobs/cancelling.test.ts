/** Cancelling on a Slurm in memory: what the fault tests cannot make a real one do within a test's time. */
import { existsSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { rejection } from '../fixtures.ts';
import { type FakeSlurm, job } from './fake-slurm.ts';
import { cluster, name, worker } from './job-worker.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

type State = [id: string, state: string, flags?: string[]];

const put = (slurm: FakeSlurm, ...[id, state, flags = []]: State) => slurm.jobs.push(job(id, { name, state, flags }));

/** A cluster that knows these jobs of the attempt. The store can be made to take nothing. */
async function cancelling(jobs: State[], { storeFails = false } = {}) {
  const at = await cluster();
  const { slurm, folder } = at;
  for (const one of jobs) put(slurm, ...one);
  if (storeFails) {
    // A file in the place of the attempt's folder: whatever is asked of it fails (ENOTDIR), also for root.
    await rm(folder, { recursive: true });
    await writeFile(folder, '');
  }
  return {
    slurm,
    /** What Slurm was asked to do, and for all its jobs. */
    done: () => slurm.asked.filter((what) => !what.startsWith('job ') && !what.startsWith('records of ')),
    mendStore: async () => {
      await rm(folder);
      await mkdir(folder);
    },
    claim: join(folder, 'claim'),
    submission: (text: string) => writeFile(join(folder, 'submission.json'), text),
    cancel: () => lived(() => worker(at).cancel()),
    effects: () => effectsOf(() => worker(at).cancel()),
    killedAt: (moment: number) => killedAt(moment, () => worker(at).cancel()),
  };
}

const intended = '{"state":"intended","since":"2026-11-24T00:00:00Z"}';

describe('cancelling a job', () => {
  it('is over only when slurmctld says so: a job that is completing still has its node', async () => {
    const { cancel, done, slurm } = await cancelling([['7', 'RUNNING']]);
    slurm.onSignal = () => {
      slurm.change('7', { state: 'CANCELLED', flags: ['COMPLETING'] });
      setTimeout(() => slurm.end('7', 'CANCELLED'), 30_000);
    };
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list', 'cancel 7']);
    expect(slurm.jobs[0]?.flags).toEqual([]);
  });

  it('kills a job that TERM does not end, after 45 s', async () => {
    const { cancel, done, slurm } = await cancelling([['7', 'RUNNING']]);
    const startedAt = Date.now();
    slurm.onSignal = (id, signal) => (signal === 'KILL' ? slurm.end(id, 'CANCELLED') : 'accepted');
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list', 'cancel 7', 'KILL 7']);
    expect(Math.round((Date.now() - startedAt) / 1000)).toBe(45);
  });

  it('fails, to be tried again, with Slurm’s word if it stays: a 200 is no proof', async () => {
    const { cancel, slurm } = await cancelling([['7', 'RUNNING']]);
    slurm.onSignal = () => 'refused';
    expect(await rejection(cancel())).toMatchObject({
      type: 'SlurmUnavailable',
      nonRetryable: false,
      message: expect.stringContaining('Access denied'),
    });
  });

  it('looks once for a job whose submission was answered or never begun', async () => {
    const { cancel, done } = await cancelling([]);
    expect(await cancel()).toEqual({ jobId: null });
    expect(done()).toEqual(['list']);
  });

  it('takes the claim of an attempt that no job has begun: one that starts later ends at once', async () => {
    const { cancel, claim } = await cancelling([]);
    await cancel();
    expect((await stat(claim)).isDirectory()).toBe(true);
    expect(await cancel()).toEqual({ jobId: null });
  });

  it('waits for the job of a submission that was never answered', async () => {
    const { cancel, done, slurm, submission } = await cancelling([]);
    await submission(intended);
    setTimeout(() => put(slurm, '7', 'PENDING'), 1_000);
    expect(await cancel()).toEqual({ jobId: '7' });
    // Once before the record is read, then until it is found; at the end for what began before the attempt was closed.
    expect(done()).toEqual(['list', 'list', 'list', 'cancel 7', 'list']);
  });

  it('closes an attempt before it waits for a late job: that job does nothing while nobody has cancelled it yet', async () => {
    const { cancel, claim, slurm, submission } = await cancelling([]);
    await submission(intended);
    let closedBefore: boolean | undefined;
    setTimeout(() => {
      closedBefore = existsSync(claim);
      put(slurm, '7', 'RUNNING');
    }, 1_000);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(closedBefore).toBe(true);
  });

  it('ends every job under the name', async () => {
    const { cancel, done } = await cancelling([
      ['8', 'PENDING'],
      ['7', 'RUNNING'],
    ]);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list', 'cancel 8', 'cancel 7']);
  });

  it('touches no job of another name that was given its id', async () => {
    const { cancel, done, slurm } = await cancelling([]);
    slurm.records?.push(job('7', { name, state: 'RUNNING', source: 'slurmdbd' }));
    slurm.jobs.push(job('7', { name: 'of-somebody-else' }));
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list']);
  });
});

describe('cancelling a job while the store fails', () => {
  const storeFails = true;

  it('cancels it all the same, and says that its attempt is not closed', async () => {
    const { cancel, done } = await cancelling([['7', 'RUNNING']], { storeFails });
    expect(await cancel()).toEqual({ jobId: '7', notClosed: expect.stringContaining('ENOTDIR') });
    expect(done().slice(0, 2)).toEqual(['list', 'cancel 7']);
    expect(done().filter((what) => what === 'cancel 7')).toHaveLength(1);
  });

  it('cancels what Slurm starts of the attempt meanwhile', async () => {
    const { cancel, done, slurm } = await cancelling([['7', 'RUNNING']], { storeFails });
    setTimeout(() => put(slurm, '8', 'RUNNING'), 500);
    expect(await cancel()).toMatchObject({ jobId: '7' });
    expect(done()).toContain('cancel 8');
  });

  it('closes the attempt as soon as the store takes the claim again', async () => {
    const { cancel, claim, mendStore } = await cancelling([['7', 'RUNNING']], { storeFails });
    setTimeout(() => void mendStore(), 50_000);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect((await stat(claim)).isDirectory()).toBe(true);
  });

  it('looks for a late job if the record of its submission cannot be read', async () => {
    const { cancel, done, slurm } = await cancelling([], { storeFails });
    setTimeout(() => put(slurm, '7', 'PENDING'), 50_000);
    expect(await cancel()).toMatchObject({ jobId: '7' });
    expect(done()).toContain('cancel 7');
  });
});

describe('cancelling again after a kill -9', () => {
  it('before the DELETE was sent: it is sent', async () => {
    const { cancel, done, killedAt: killed } = await cancelling([['7', 'RUNNING']]);
    await killed(0);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done().filter((what) => what !== 'list')).toEqual(['cancel 7']);
  });

  it('between DELETE and the end of the job: it is sent again, which does no harm', async () => {
    const { cancel, done } = await cancelling([['7', 'CANCELLED', ['COMPLETING']]]);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list', 'cancel 7']);
  });

  it('between the end of the job and the claim: nothing is sent, the attempt is closed', async () => {
    const { cancel, claim, done } = await cancelling([['7', 'CANCELLED']]);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list']);
    expect((await stat(claim)).isDirectory()).toBe(true);
  });

  it('after the claim: a job that began before it stood is looked for once more, and cancelled', async () => {
    const { cancel, claim, done, slurm } = await cancelling([['7', 'CANCELLED']]);
    const list = slurm.listJobs.bind(slurm);
    slurm.listJobs = async () => {
      const known = await list();
      if (slurm.jobs.length === 1) put(slurm, '8', 'RUNNING');
      return known;
    };
    await mkdir(claim);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done()).toEqual(['list', 'list', 'cancel 8']);
  });

  it('at any moment of a cancel that needs a KILL: the job is gone, and its attempt is closed', async () => {
    const stubborn = async () => {
      const at = await cancelling([['7', 'RUNNING']]);
      at.slurm.onSignal = (id, signal) => (signal === 'KILL' ? at.slurm.end(id, 'CANCELLED') : 'accepted');
      return at;
    };
    const effects = await (await stubborn()).effects();
    expect(effects).toEqual(['cancel 7', 'KILL 7', 'mkdir claim']);
    for (const [moment, effect] of effects.entries()) {
      const at = await stubborn();
      await at.killedAt(moment);
      const found = await at.cancel();
      expect([effect, found, at.slurm.jobs[0]?.state]).toEqual([effect, { jobId: '7' }, 'CANCELLED']);
      expect(existsSync(at.claim)).toBe(true);
    }
  });
});
