/** Cancelling against a Slurm of a few lines: what the fault tests cannot make a real one do within a test's time. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CancelResult, SlurmClient, SlurmJob } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { ArtifactStore } from '../../activities/artifact-store.ts';
import { createCancelActivities } from '../../activities/cancelling.ts';
import { attemptName, paths } from '../../domain/names.ts';
import { activityEnvironment, inActivity, temporaryFolder } from './fixtures.ts';

const run = 'demo-20261124-000000';
const name = attemptName(run, 'sft', 1);
const soon = { termMs: 1_200, killMs: 1_200 };

function job(id: string, state: string, flags: string[] = []): SlurmJob {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only these fields are read
  return { id, name, state, flags, nodes: [], reason: '', userName: 'critic' } as unknown as SlurmJob;
}

/** `jobs` is what slurmctld knows; a test changes it from within `does`. */
async function cancelling(jobs: SlurmJob[], does: (done: string) => CancelResult['outcome']) {
  const store = new ArtifactStore(await temporaryFolder());
  const done: string[] = [];
  const act = async (what: string): Promise<CancelResult> => {
    done.push(what);
    return { outcome: does(what), number: undefined, message: 'Access denied', warnings: [] };
  };
  const slurm: Partial<SlurmClient> = {
    listJobs: async () => {
      done.push('list');
      return jobs;
    },
    accountingJobsByName: async () => [],
    getJob: async (id) => jobs.find((one) => one.id === id),
    cancel: (id) => act(`cancel ${id}`),
    signal: (id, signal) => act(`${signal} ${id}`),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = { store, slurm, job: { userName: 'critic' } } as unknown as Parameters<typeof createCancelActivities>[0];
  const activities = createCancelActivities(deps, soon);
  const folder = paths.attempt(store.root, run, 'sft', 1);
  await mkdir(folder, { recursive: true });
  return {
    done,
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
    expect(done).toEqual(['list', 'list', 'cancel 7']);
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
