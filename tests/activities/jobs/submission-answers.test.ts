/** Submission and what comes back: lost answers, refusals, tokens, a slurmdbd that is away, jobs that are there already. */
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { SlurmErrorDetails } from 'slurm-rest-client';
import { rejection } from '../fixtures.ts';
import { job } from './fake-slurm.ts';
import { type Cluster, cluster, exists, name, worker } from './job-worker.ts';
import { killedAt, lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

const second = 1_000;
const minute = 60 * second;
const ambiguous: SlurmErrorDetails = { kind: 'ambiguous', delivery: 'unknown', number: 5004 };

const posts = ({ slurm }: Cluster) => slurm.asked.filter((what) => what === 'submit').length;
const hasRecord = ({ folder }: Cluster) => exists(join(folder, 'submission.json'));

/** A cluster whose one submission was carried out by a worker that died before it had the answer. */
async function answerNeverRead(): Promise<Cluster> {
  const at = await cluster();
  await killedAt(6, () => worker(at).submit());
  return at;
}

describe('a submission whose answer is lost', () => {
  it.each([
    ['stands at once', 0],
    ['appears 59 s later', 59 * second],
  ])('adopts the job that %s, and posts once', async (_what, createdAfterMs) => {
    const at = await cluster();
    at.slurm.fates.push({ error: ambiguous, createdAfterMs });
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: true });
    expect(posts(at)).toBe(1);
  });

  it('is made again only after a healthy controller has denied its name for a minute', async () => {
    const at = await cluster();
    at.slurm.fates.push({ error: ambiguous });
    const error = await lived(() => rejection(worker(at).submit()));
    expect(error).toMatchObject({ type: 'SlurmUnavailable', nonRetryable: false });
    expect(Date.now() - Date.parse('2026-11-24T00:00:00Z')).toBeGreaterThanOrEqual(minute);
    expect(posts(at)).toBe(1);
    expect(await hasRecord(at)).toBe(false);
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: false });
  });

  it('waits out an outage: time without an answer denies nothing', async () => {
    const at = await cluster();
    at.slurm.fates.push({ error: ambiguous, createdAfterMs: 9.5 * minute + 20 * second });
    setTimeout(() => (at.slurm.down = true), second);
    setTimeout(() => (at.slurm.down = false), 9.5 * minute);
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: true });
    expect(posts(at)).toBe(1);
  });

  it('adopts no job of another user, and none that Slurm had refused', async () => {
    const at = await cluster();
    at.slurm.jobs.push(job('3', { name, userName: 'somebody' }));
    at.slurm.jobs.push(job('4', { name, state: 'FAILED', reason: 'BadConstraints' }));
    at.slurm.fates.push({ error: ambiguous });
    await lived(() => rejection(worker(at).submit()));
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: false });
  });

  it('adopts the earlier of two jobs under its name, and cancels the later one', async () => {
    const at = await cluster();
    for (const id of ['12', '9']) at.slurm.jobs.push(job(id, { name, state: 'PENDING' }));
    at.slurm.fates.push({ error: ambiguous });
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '9', adopted: true });
    expect(at.slurm.jobs.map(({ id, state }) => `${id} ${state}`)).toEqual(['12 CANCELLED', '9 PENDING']);
  });

  it('and whose attempt is cancelled: a job that appears within a minute is cancelled', async () => {
    const at = await cluster();
    at.slurm.fates.push({ error: ambiguous, createdAfterMs: 30 * second });
    await killedAt(6, () => worker(at).submit());
    expect(await lived(() => worker(at).cancel())).toEqual({ jobId: '7' });
    await at.slurm.schedule();
    expect(at.slurm.worked).toEqual([]);
  });

  it('and whose attempt is cancelled: a job that appears an hour later meets the claim', async () => {
    const at = await cluster();
    at.slurm.fates.push({ error: ambiguous, createdAfterMs: 60 * minute });
    await killedAt(6, () => worker(at).submit());
    expect(await lived(() => worker(at).cancel())).toEqual({ jobId: null });
    await vi.advanceTimersByTimeAsync(60 * minute);
    await at.slurm.schedule();
    expect(at.slurm.jobs.map(({ state }) => state)).toEqual(['COMPLETED']);
    expect(at.slurm.worked).toEqual([]);
  });
});

describe('a job that came and went before anybody looked', () => {
  /** It did the attempt's work, ended, and slurmctld has forgotten it. */
  async function gone(): Promise<Cluster> {
    const at = await answerNeverRead();
    await at.slurm.schedule();
    at.slurm.end('7', 'COMPLETED');
    at.slurm.forget('7');
    return at;
  }

  it('is found in slurmdbd, and adopted', async () => {
    const at = await gone();
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: true });
    expect(posts(at)).toBe(1);
  });

  it('is found in a slurmdbd that has it only half a minute later', async () => {
    const at = await gone();
    const records = at.slurm.records ?? [];
    at.slurm.records = [];
    setTimeout(() => (at.slurm.records = records), 30 * second);
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: true });
    expect(posts(at)).toBe(1);
  });

  it('is found in a slurmdbd that was down for four minutes: it is waited for', async () => {
    const at = await gone();
    const { records } = at.slurm;
    at.slurm.records = undefined;
    at.slurm.silence = { kind: 'unavailable', delivery: 'not-delivered', httpStatus: 502, number: 7000 };
    setTimeout(() => (at.slurm.records = records), 4 * minute);
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: true });
    expect(posts(at)).toBe(1);
  });

  it.each<[string, SlurmErrorDetails, number]>([
    ['there is no slurmdbd (404)', { kind: 'protocol', delivery: 'not-delivered', httpStatus: 404 }, 1],
    ['slurmdbd fails for good (502)', { kind: 'unavailable', delivery: 'not-delivered', httpStatus: 502 }, 6],
  ])('is not found where %s: its successor meets the claim and works nothing', async (_what, silence, minutes) => {
    const at = await gone();
    at.slurm.records = undefined;
    at.slurm.silence = silence;
    const startedAt = Date.now();
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '8', adopted: false });
    expect(Math.round((Date.now() - startedAt) / minute)).toBe(minutes);
    await at.slurm.schedule();
    expect(at.slurm.jobs.map(({ id, state }) => `${id} ${state}`)).toEqual(['8 COMPLETED']);
    expect(at.slurm.worked).toEqual(['7']);
  });
});

describe('a submission that Slurm answers with an error', () => {
  it.each<[string, SlurmErrorDetails]>([
    ['an invalid partition', { kind: 'refused', delivery: 'refused', number: 2000 }],
    ['a field that it does not know', { kind: 'protocol', delivery: 'refused', number: 9000 }],
    ['nothing, since the client itself refuses it', { kind: 'refused', delivery: 'not-delivered' }],
  ])('(%s) is refused for good, and leaves no record', async (_what, error) => {
    const at = await cluster();
    at.slurm.fates.push({ error });
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '', adopted: false, refused: 'as the test says' });
    expect(await hasRecord(at)).toBe(false);
    expect(posts(at)).toBe(1);
  });

  it.each<[string, SlurmErrorDetails]>([
    ['an expired token (401)', { kind: 'auth', delivery: 'refused', httpStatus: 401 }],
    ['too many jobs (11)', { kind: 'throttled', delivery: 'refused', number: 11 }],
    ['a slurmctld that is not reached (1800)', { kind: 'unavailable', delivery: 'not-delivered', number: 1800 }],
    ['a garbled answer before anything was sent', { kind: 'protocol', delivery: 'not-delivered' }],
  ])('(%s) is no refusal: the next try posts at once, without a look', async (_what, error) => {
    const at = await cluster();
    at.slurm.fates.push({ error });
    const thrown = await lived(() => rejection(worker(at).submit()));
    expect(thrown).toMatchObject({ message: expect.stringContaining('as the test says') });
    expect(thrown).not.toMatchObject({ nonRetryable: true });
    expect(await hasRecord(at)).toBe(false);
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: false });
    expect(at.slurm.asked).toEqual(['submit', 'submit']);
  });
});
