/** What watching costs: how often the poller asks, and for what. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SlurmJob } from 'slurm-rest-client';
import { JobPoller } from '../../../activities/jobs/watching/job-poller.ts';
import { FakeSlurm, job } from './fake-slurm.ts';

const options = { intervalMs: 10_000, maxBackoffMs: 60_000, random: () => 0.5 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Watches these jobs, among 10,000 of others, with the worker's default interval; gives what was asked in each minute. */
async function watched(controller: FakeSlurm, jobs: SlurmJob[], count: number): Promise<{ minutes: string[][] }> {
  let seed = 1;
  const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  controller.jobs = [...jobs, ...Array.from({ length: 10_000 }, (_, i) => job(String(100_000 + i)))];
  const poller = new JobPoller(controller, { intervalMs: 45_000, maxBackoffMs: 60_000, random });
  const watches = jobs.map(({ id, name }) => poller.watch(id, name));
  const minutes: string[][] = [];
  for (let minute = 0; minute < count; minute += 1) {
    await vi.advanceTimersByTimeAsync(60_000);
    minutes.push(controller.asked.splice(0));
  }
  expect(watches.filter((watch) => watch.state().kind === 'known')).toHaveLength(jobs.length);
  poller.close();
  return { minutes };
}

describe('requests', () => {
  const rows = [true, false].flatMap((old) => ['PENDING', 'RUNNING'].map((state): [boolean, string] => [old, state]));

  it.each(rows)('for ten jobs are two a minute at most and never a list (22.05: %s, %s)', async (old, state) => {
    const ten = Array.from({ length: 10 }, (_, i) => job(String(i), { state }));
    const { minutes } = await watched(new FakeSlurm(old), ten, 61);
    const [first, ...later] = minutes;
    expect(first?.length).toBeLessThanOrEqual(13);
    expect(later.flat().length / later.length).toBeLessThanOrEqual(2);
    expect(minutes.flat()).not.toContain('list');
  });

  it.each(rows)('for a thousand jobs are 64 in any minute at most (22.05: %s, %s)', async (old, state) => {
    const controller = new FakeSlurm(old);
    const thousand = Array.from({ length: 1000 }, (_, i) => job(String(i), { state }));
    const { minutes } = await watched(controller, thousand, 15);
    expect(Math.max(...minutes.map(({ length }) => length))).toBeLessThanOrEqual(64);
  });

  it('for a pending job are six a minute if the interval is ten seconds, on 22.05', async () => {
    const controller = new FakeSlurm(true);
    controller.jobs = [job('1', { state: 'PENDING' })];
    const poller = new JobPoller(controller, options);
    poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(controller.asked).toHaveLength(6);
    poller.close();
  });

  it.each([
    [1, 2],
    [10, 11],
    [1000, 41],
  ])('of %i pending jobs beyond their states are %i in two minutes on later releases', async (count, details) => {
    const controller = new FakeSlurm(false);
    controller.jobs = Array.from({ length: count }, (_, i) => job(String(i), { state: 'PENDING' }));
    const poller = new JobPoller(controller, options);
    for (const { id, name } of controller.jobs) poller.watch(id, name);
    await vi.advanceTimersByTimeAsync(120_000);
    const states = controller.asked.filter((what) => what.startsWith('states'));
    expect(states).toHaveLength(12);
    expect(controller.asked.length - states.length).toBe(details);
    poller.close();
  });

  it('are not more because a watcher leaves with each news and comes back', async () => {
    const controller = new FakeSlurm(true);
    controller.jobs = [job('1')];
    const poller = new JobPoller(controller, options);
    for (let i = 0; i < 60; i += 1) {
      const watch = poller.watch('1', 'job-1');
      await vi.advanceTimersByTimeAsync(1_000);
      watch.close();
    }
    expect(controller.asked).toHaveLength(1);
    poller.close();
  });

  it('end when nobody watches', async () => {
    const controller = new FakeSlurm(true);
    const poller = new JobPoller(controller, options);
    poller.watch('1', 'job-1').close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(controller.asked).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that are hurried come once a second at most', async () => {
    const controller = new FakeSlurm(true);
    const poller = new JobPoller(controller, options);
    poller.watch('1', 'job-1');
    for (let i = 0; i < 100; i += 1) {
      poller.hurry();
      await vi.advanceTimersByTimeAsync(100);
    }
    const looks = controller.asked.filter((what) => what.startsWith('job'));
    expect(looks.length).toBeGreaterThan(5);
    expect(looks.length).toBeLessThanOrEqual(10);
    poller.close();
  });
});
