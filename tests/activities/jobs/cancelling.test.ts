/** Cancelling against a Slurm of a few lines: what the fault tests cannot make a real one do within a test's time. */
import { existsSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CancelResult, SlurmClient, SlurmJob } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createCancelActivities } from '../../../activities/jobs/cancelling.ts';
import { attemptName, paths } from '../../../domain/names.ts';
import { activityEnvironment, inActivity, temporaryFolder } from '../fixtures.ts';

const run = 'demo-20261124-000000';
const name = attemptName(run, 'sft', 1);
const soon = { termMs: 1_200, killMs: 1_200, deniedMs: 4_500, closeMs: 1_500 };

function job(id: string, state: string, flags: string[] = []): SlurmJob {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only these fields are read
  return { id, name, state, flags, nodes: [], reason: '', userName: 'critic' } as unknown as SlurmJob;
}

/** `jobs` is what slurmctld knows; a test changes it from within `does`, or `listed`. The store can be made to take nothing. */
async function cancelling(
  jobs: SlurmJob[],
  does: (done: string) => CancelResult['outcome'],
  { storeFails = false, listed }: { storeFails?: boolean; listed?: () => void } = {},
) {
  const store = new ArtifactStore(await temporaryFolder());
  const done: string[] = [];
  const act = async (what: string): Promise<CancelResult> => {
    done.push(what);
    return { outcome: does(what), number: undefined, message: 'Access denied', warnings: [] };
  };
  const slurm: Partial<SlurmClient> = {
    listJobs: async () => {
      done.push('list');
      const known = [...jobs];
      listed?.();
      return known;
    },
    getJob: async (id) => jobs.find((one) => one.id === id),
    cancel: (id) => act(`cancel ${id}`),
    signal: (id, signal) => act(`${signal} ${id}`),
  };
  const accounting = { byName: async () => ({ kind: 'answered', rows: [] }) };
  const all = { store, slurm, accounting, job: { userName: 'critic' } };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = all as unknown as Parameters<typeof createCancelActivities>[0];
  const activities = createCancelActivities(deps, soon);
  const folder = paths.attempt(store.root, run, 'sft', 1);
  await mkdir(dirname(folder), { recursive: true });
  // A file in the place of the attempt's folder: whatever is asked of it fails (ENOTDIR), also for root.
  await (storeFails ? writeFile(folder, '') : mkdir(folder));
  return {
    done,
    mendStore: async () => {
      await rm(folder);
      await mkdir(folder);
    },
    claim: join(folder, 'claim'),
    submission: (text: string) => writeFile(join(folder, 'submission.json'), text),
    cancel: () => inActivity(activityEnvironment().env, () => activities.cancelJob({ name })),
  };
}

describe('cancelling a job', () => {
  it('is over only when slurmctld says so: a job that is completing still has its node', async () => {
    const jobs = [job('7', 'RUNNING')];
    const { cancel, done } = await cancelling(jobs, () => {
      jobs[0] = job('7', 'CANCELLED', ['COMPLETING']);
      setTimeout(() => (jobs[0] = job('7', 'CANCELLED')), 200);
      return 'accepted';
    });
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list', 'cancel 7']);
    expect(jobs[0]?.flags).toEqual([]);
  });

  it('kills a job that TERM does not end', async () => {
    const jobs = [job('7', 'RUNNING')];
    const { cancel, done } = await cancelling(jobs, (what) => {
      if (what === 'KILL 7') jobs[0] = job('7', 'CANCELLED');
      return 'accepted';
    });
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list', 'cancel 7', 'KILL 7']);
  });

  it('fails, to be tried again, with Slurm’s word if it stays: a 200 is no proof', async () => {
    const { cancel } = await cancelling([job('7', 'RUNNING')], () => 'refused');
    await expect(cancel()).rejects.toMatchObject({
      type: 'SlurmUnavailable',
      nonRetryable: false,
      message: expect.stringContaining('Access denied'),
    });
  });

  it('looks once for a job whose submission was answered or never begun', async () => {
    const { cancel, done } = await cancelling([], () => 'accepted');
    expect(await cancel()).toEqual({ jobId: null });
    expect(done).toEqual(['list']);
  });

  it('takes the claim of an attempt that no job has begun: one that starts later ends at once', async () => {
    const { cancel, claim } = await cancelling([], () => 'accepted');
    await cancel();
    expect((await stat(claim)).isDirectory()).toBe(true);
    expect(await cancel()).toEqual({ jobId: null });
  });

  it('waits for the job of a submission that was never answered', async () => {
    const jobs: SlurmJob[] = [];
    const { cancel, done, submission } = await cancelling(jobs, () => {
      jobs[0] = job('7', 'CANCELLED');
      return 'accepted';
    });
    await submission('{"state":"intended","since":"2026-11-24T00:00:00Z"}');
    setTimeout(() => jobs.push(job('7', 'PENDING')), 1_000);
    expect(await cancel()).toEqual({ jobId: '7' });
    // Once before the record is read, then until it is found; at the end for what began before the attempt was closed.
    expect(done).toEqual(['list', 'list', 'list', 'cancel 7', 'list']);
  });

  it('closes an attempt before it waits for a late job: that job does nothing while nobody has cancelled it yet', async () => {
    const jobs: SlurmJob[] = [];
    const { cancel, claim, submission } = await cancelling(jobs, ends(jobs));
    await submission('{"state":"intended","since":"2026-11-24T00:00:00Z"}');
    let closedBefore: boolean | undefined;
    setTimeout(() => {
      closedBefore = existsSync(claim);
      jobs.push(job('7', 'RUNNING'));
    }, 1_000);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(closedBefore).toBe(true);
  });

  it('ends every job under the name', async () => {
    const jobs = [job('8', 'PENDING'), job('7', 'RUNNING')];
    const { cancel, done } = await cancelling(jobs, (what) => {
      if (what === 'cancel 7') jobs[1] = job('7', 'CANCELLED');
      return 'accepted';
    });
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list', 'cancel 8', 'cancel 7']);
  });
});

/** Ends the job of `what` ("cancel 7"). */
function ends(jobs: SlurmJob[]): (what: string) => CancelResult['outcome'] {
  return (what) => {
    const id = what.split(' ')[1] ?? '';
    const at = jobs.findIndex((one) => one.id === id);
    if (at >= 0) jobs[at] = job(id, 'CANCELLED');
    return 'accepted';
  };
}

describe('cancelling a job while the store fails', () => {
  it('cancels it all the same, and says that its attempt is not closed', async () => {
    const jobs = [job('7', 'RUNNING')];
    const { cancel, done } = await cancelling(jobs, ends(jobs), { storeFails: true });
    expect(await cancel()).toEqual({ jobId: '7', notClosed: expect.stringContaining('ENOTDIR') });
    expect(done.slice(0, 2)).toEqual(['list', 'cancel 7']);
    expect(done.filter((what) => what === 'cancel 7')).toHaveLength(1);
  });

  it('cancels what Slurm starts of the attempt meanwhile', async () => {
    const jobs = [job('7', 'RUNNING')];
    const { cancel, done } = await cancelling(jobs, ends(jobs), { storeFails: true });
    setTimeout(() => jobs.push(job('8', 'RUNNING')), 500);
    expect(await cancel()).toMatchObject({ jobId: '7' });
    expect(done).toContain('cancel 8');
  });

  it('closes the attempt as soon as the store takes the claim again', async () => {
    const jobs = [job('7', 'RUNNING')];
    const { cancel, claim, mendStore } = await cancelling(jobs, ends(jobs), { storeFails: true });
    setTimeout(() => void mendStore(), 500);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect((await stat(claim)).isDirectory()).toBe(true);
  });

  it('looks for a late job if the record of its submission cannot be read', async () => {
    const jobs: SlurmJob[] = [];
    const { cancel, done } = await cancelling(jobs, ends(jobs), { storeFails: true });
    setTimeout(() => jobs.push(job('7', 'PENDING')), 1_000);
    expect(await cancel()).toMatchObject({ jobId: '7' });
    expect(done).toContain('cancel 7');
  });
});

describe('cancelling again after a kill -9', () => {
  it('before the DELETE was sent: it is sent', async () => {
    const jobs = [job('7', 'RUNNING')];
    const { cancel, done } = await cancelling(jobs, ends(jobs));
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list', 'cancel 7']);
  });

  it('between DELETE and the end of the job: it is sent again, which does no harm', async () => {
    const jobs = [job('7', 'CANCELLED', ['COMPLETING'])];
    const { cancel, done } = await cancelling(jobs, ends(jobs));
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list', 'cancel 7']);
  });

  it('between the end of the job and the claim: nothing is sent, the attempt is closed', async () => {
    const { cancel, claim, done } = await cancelling([job('7', 'CANCELLED')], () => 'accepted');
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list']);
    expect((await stat(claim)).isDirectory()).toBe(true);
  });

  it('after the claim: a job that began before it stood is looked for once more, and cancelled', async () => {
    const jobs = [job('7', 'CANCELLED')];
    const late = () => jobs.length === 1 && jobs.push(job('8', 'RUNNING'));
    const { cancel, claim, done } = await cancelling(jobs, ends(jobs), { listed: late });
    await mkdir(claim);
    expect(await cancel()).toEqual({ jobId: '7' });
    expect(done).toEqual(['list', 'list', 'cancel 8']);
  });
});
