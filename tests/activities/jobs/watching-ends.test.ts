/** Watching on a Slurm in memory: what ends a watch, what does not, and what the next worker goes on with. */
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { activityEnvironment, rejection } from '../fixtures.ts';
import { job } from './fake-slurm.ts';
import { type Cluster, cluster, leave, name, outcome, row, worker } from './job-worker.ts';
import { lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

const second = 1_000;
const minute = 60 * second;
let at: Cluster;
/** Seconds of virtual time since the test began. */
let seconds: () => number;
beforeEach(async () => {
  at = await cluster();
  at.slurm.create(name, at.folder);
  await at.slurm.schedule();
  const startedAt = Date.now();
  seconds = () => Math.round((Date.now() - startedAt) / second);
});

const later = (ms: number, work: () => unknown) => void setTimeout(() => void work(), ms);
const watch = async (known?: { state: string; told: string[]; stuck?: string }) =>
  lived(() => worker(at).watch('7', known));

describe('a watch', () => {
  it('returns when a waiting job starts, within two looks at Slurm', async () => {
    at.slurm.change('7', { state: 'PENDING', reason: 'Priority', nodes: [] });
    later(2 * minute, () => at.slurm.change('7', { state: 'RUNNING', reason: '', nodes: ['n1'] }));
    expect(await watch({ state: 'PENDING', told: [] })).toEqual({
      state: 'RUNNING',
      reason: '',
      node: 'n1',
      over: false,
    });
    expect(seconds()).toBeLessThan(120 + 90);
  });

  it('does not return for a job that goes on running: its numbers are heartbeats', async () => {
    const environment = activityEnvironment();
    await leave(at.folder, { metrics: 4, outcome: undefined, result: undefined, hasOutput: false });
    later(5 * minute, () => environment.env.cancel());
    const error = await lived(() => rejection(worker(at, environment).watch('7')));
    expect(error).toBeInstanceOf(CancelledFailure);
    expect(environment.heartbeats.at(-1)).toMatchObject({
      state: 'RUNNING',
      jobId: '7',
      node: 'n1',
      unit: 'steps',
      done: 4,
      total: 10,
      loss: 0.25,
      etaSeconds: 6,
    });
  });

  it('ends with an outcome of 0 at once, woken by it, and asks Slurm nothing for it', async () => {
    later(10 * minute, () => leave(at.folder));
    const seen = await watch();
    expect(seen).toMatchObject({ over: true });
    expect(seconds()).toBeLessThanOrEqual(601);
    expect(at.slurm.jobs).toMatchObject([{ state: 'RUNNING' }]);
  });

  it('after another outcome waits for Slurm’s word, and has it within seconds', async () => {
    later(10 * minute, () => leave(at.folder, { outcome: { ...outcome, exit_code: 85 } }));
    later(10 * minute + 2 * second, () => at.slurm.end('7', 'TIMEOUT'));
    expect(await watch()).toMatchObject({ state: 'TIMEOUT', over: true });
    expect(seconds()).toBeLessThanOrEqual(605);
  });

  it('ends 15 s after another outcome if Slurm has said nothing new by then', async () => {
    later(10 * minute, () => leave(at.folder, { outcome: { ...outcome, exit_code: 70 } }));
    expect(await watch()).toMatchObject({ state: 'RUNNING', over: true });
    expect(seconds()).toBe(615);
  });

  it('does not end with an outcome of another attempt as with its own: Slurm is waited for', async () => {
    later(10 * minute, () => leave(at.folder, { outcome: { ...outcome, name: 'critic-x-sft-a1' } }));
    await watch();
    expect(seconds()).toBe(615);
  });

  it('ends with half an outcome only after 15 s: it may be whole by then', async () => {
    later(10 * minute, () => writeFile(join(at.folder, 'outcome.json'), '{"schema":1,'));
    later(10 * minute + 5 * second, () => leave(at.folder));
    expect(await watch()).toMatchObject({ over: true });
    expect(seconds()).toBeLessThanOrEqual(606);
  });

  it('ends with a job that Slurm put back into its queue: one id is one attempt', async () => {
    later(minute, () => at.slurm.change('7', { state: 'PENDING', restartCount: 1, reason: 'BeginTime' }));
    expect(await watch()).toMatchObject({ state: 'PENDING', over: true });
  });

  it('says once that a job cannot start, and not again while it stays so', async () => {
    at.slurm.change('7', { state: 'PENDING', reason: 'JobHeldUser', nodes: [] });
    const { stuck, ...seen } = await watch({ state: 'PENDING', told: [] });
    expect([seen.over, stuck]).toEqual([false, expect.stringContaining('scontrol release')]);
    later(10 * minute, () => at.slurm.change('7', { state: 'RUNNING', reason: '', nodes: ['n1'] }));
    const known = { state: 'PENDING', told: [stuck ?? ''], stuck: stuck ?? '' };
    expect(await watch(known)).toMatchObject({ state: 'RUNNING', over: false });
    expect(seconds()).toBeGreaterThan(600);
  });
});

describe('a job that slurmctld does not know', () => {
  it('any more is over once slurmdbd has its end', async () => {
    later(10 * minute, () => {
      at.slurm.end('7', 'TIMEOUT');
      at.slurm.forget('7');
    });
    expect(await watch()).toMatchObject({ state: 'VANISHED', over: true });
    expect(seconds()).toBeLessThan(600 + 8 * 45 * 1.2 + 60);
  });

  it('any more is over after five minutes if slurmdbd does not answer, not before', async () => {
    at.slurm.records = undefined;
    at.slurm.forget('7');
    expect(await watch()).toMatchObject({ state: 'VANISHED', over: true });
    expect(seconds()).toBeGreaterThanOrEqual(300);
    expect(seconds()).toBeLessThan(310);
  });

  it('for four minutes is not over: it was a slurmctld that read its state anew', async () => {
    at.slurm.records = undefined;
    const [there] = at.slurm.jobs;
    at.slurm.forget('7');
    later(4 * minute, () => there !== undefined && at.slurm.jobs.push(there));
    later(10 * minute, () => at.slurm.end('7', 'FAILED'));
    expect(await watch()).toMatchObject({ state: 'FAILED', over: true });
    expect(seconds()).toBeGreaterThanOrEqual(600);
  });

  it('any more is over at once if another job has its id', async () => {
    at.slurm.records = undefined;
    at.slurm.jobs = [job('7', { name: 'of-somebody-else' })];
    expect(await watch()).toMatchObject({ state: 'VANISHED', over: true });
    expect(seconds()).toBeLessThan(5);
  });

  it('any more is over at once if it has left its outcome', async () => {
    at.slurm.records = undefined;
    at.slurm.forget('7');
    later(minute, () => leave(at.folder, { outcome: { ...outcome, exit_code: 70 } }));
    expect(await watch()).toMatchObject({ state: 'VANISHED', over: true });
    expect(seconds()).toBeLessThanOrEqual(61);
  });
});

describe('a slurmctld that does not answer', () => {
  it('for a quarter of an hour ends no watch: unknown is not failed, and the heartbeats say why', async () => {
    const environment = activityEnvironment();
    const shown: unknown[] = [];
    at.slurm.down = true;
    later(14 * minute, () => shown.push(environment.heartbeats.at(-1)));
    later(15 * minute, () => (at.slurm.down = false));
    later(16 * minute, () => at.slurm.end('7', 'NODE_FAIL'));
    expect(await lived(() => worker(at, environment).watch('7'))).toMatchObject({ state: 'NODE_FAIL', over: true });
    expect(shown).toMatchObject([{ state: 'UNKNOWN', note: expect.stringContaining('does not answer') }]);
  });

  it('keeps no finished job from being over: its outcome says so', async () => {
    at.slurm.down = true;
    later(minute, () => leave(at.folder));
    expect(await watch()).toMatchObject({ state: 'UNKNOWN', over: true });
  });
});

describe('a worker that goes in the middle of a watch', () => {
  it('is followed by one that sees the rest, also what happened while there was none', async () => {
    const environment = activityEnvironment();
    later(minute, () => environment.env.cancel('WORKER_SHUTDOWN'));
    await lived(() => rejection(worker(at, environment).watch('7')));
    at.slurm.end('7', 'PREEMPTED');
    expect(await watch()).toMatchObject({ state: 'PREEMPTED', over: true });
    expect(at.slurm.asked).not.toContain('submit');
    expect(at.slurm.worked).toEqual(['7']);
  });
});

describe('a job that runs and writes no step', () => {
  it('is told as stuck after ten times its own median, not before', async () => {
    await writeFile(join(at.folder, 'metrics.jsonl'), Array.from({ length: 9 }, (_, i) => row(i + 1)).join(''));
    const { stalled, over } = await watch();
    expect([over, stalled]).toEqual([false, expect.stringMatching(/no step for 600 s/)]);
    expect(seconds()).toBeGreaterThanOrEqual(600);
    expect(seconds()).toBeLessThan(610);
  });

  it('is not told as stuck while Slurm does not say that it runs', async () => {
    await writeFile(join(at.folder, 'metrics.jsonl'), Array.from({ length: 9 }, (_, i) => row(i + 1)).join(''));
    at.slurm.change('7', { state: 'SUSPENDED' });
    later(12 * minute, () => at.slurm.end('7', 'FAILED'));
    expect(await watch({ state: 'SUSPENDED', told: [] })).toMatchObject({ state: 'FAILED', over: true });
  });
});
