import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SlurmJob } from 'slurm-rest-client';
import { JobPoller } from '../../../activities/jobs/watching/job-poller.ts';
import { FakeSlurm, job } from './fake-slurm.ts';

const options = { intervalMs: 10_000, maxBackoffMs: 60_000, random: () => 0.5 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a job', () => {
  it('is unknown while the controller does not answer, and absent only once it answers', async () => {
    const controller = new FakeSlurm(true);
    const poller = new JobPoller(controller, options);
    const watch = poller.watch('1', 'job-1');
    controller.down = true;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(watch.state()).toMatchObject({ kind: 'unknown' });
    controller.down = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(watch.state()).toMatchObject({ kind: 'absent' });
    poller.close();
  });

  it('is watched on if every watcher left during an outage and another one came', async () => {
    const controller = new FakeSlurm(true);
    controller.jobs = [job('1'), job('2')];
    const poller = new JobPoller(controller, options);
    const first = poller.watch('1', 'job-1');
    controller.down = true;
    vi.advanceTimersByTime(1_500);
    first.close();
    await vi.advanceTimersByTimeAsync(60_000);
    controller.down = false;
    const second = poller.watch('2', 'job-2');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(second.state()).toMatchObject({ kind: 'known' });
    poller.close();
  });

  it.each([true, false])('of another name under the id is not ours (details come with states: %s)', async (details) => {
    const controller = new FakeSlurm(details);
    controller.jobs = [job('1')];
    const poller = new JobPoller(controller, options);
    const watch = poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(watch.state()).toMatchObject({ kind: 'known' });
    controller.jobs = [job('1', { name: 'of-somebody-else' })];
    await vi.advanceTimersByTimeAsync(90_000);
    expect(watch.state()).toMatchObject({ kind: 'absent' });
    poller.close();
  });

  it.each([true, false])('that is hurried is looked at within a second, others are not (22.05: %s)', async (old) => {
    const controller = new FakeSlurm(old);
    controller.jobs = [job('1'), job('2')];
    const poller = new JobPoller(controller, options);
    const [first] = ['1', '2'].map((id) => poller.watch(id, `job-${id}`));
    await vi.advanceTimersByTimeAsync(10_000);
    controller.asked = [];
    controller.jobs = [job('1', { state: 'FAILED' }), job('2')];
    first?.hurry();
    await vi.advanceTimersByTimeAsync(1_100);
    expect(first?.state()).toMatchObject({ kind: 'known', job: { state: 'FAILED' } });
    expect(controller.asked).toEqual(old ? ['job 1'] : ['states of 2', 'job 1']);
    poller.close();
  });

  it.each([true, false])('that runs and loses its node is noticed within ten intervals (22.05: %s)', async (old) => {
    const controller = new FakeSlurm(old);
    controller.jobs = [job('1')];
    const poller = new JobPoller(controller, { ...options, random: () => 1 });
    const watch = poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(2_000);
    controller.jobs = [job('1', { state: 'NODE_FAIL' })];
    await vi.advanceTimersByTimeAsync(100_000);
    expect(watch.state()).toMatchObject({ kind: 'known', job: { state: 'NODE_FAIL' } });
    poller.close();
  });

  it('whose answer alone is lost keeps its state; the others have theirs', async () => {
    const controller = new FakeSlurm(true);
    controller.jobs = [job('1'), job('2')];
    const poller = new JobPoller(controller, options);
    const watches = ['1', '2'].map((id) => poller.watch(id, `job-${id}`));
    await vi.advanceTimersByTimeAsync(2_000);
    controller.lost = '1';
    controller.jobs = [job('2', { state: 'FAILED' })];
    await vi.advanceTimersByTimeAsync(83_000);
    expect(watches.map((watch) => watch.state())).toMatchObject([
      { kind: 'known', job: { state: 'RUNNING' } },
      { kind: 'known', job: { state: 'FAILED' } },
    ]);
    controller.lost = '';
    await vi.advanceTimersByTimeAsync(10_000);
    expect(watches[0]?.state()).toMatchObject({ kind: 'absent' });
    poller.close();
  });

  it('that cannot be read holds up no other: one that is gone counts as absent since the first look', async () => {
    const controller = new FakeSlurm(false);
    controller.jobs = [job('1'), job('2')];
    const poller = new JobPoller(controller, options);
    const [, second, third] = ['1', '2', '3'].map((id) => poller.watch(id, `job-${id}`));
    controller.lost = '1';
    await vi.advanceTimersByTimeAsync(5_000);
    const since = third?.state();
    expect(since).toMatchObject({ kind: 'absent' });
    for (let looks = 0; looks < 20; looks += 1) {
      await vi.advanceTimersByTimeAsync(15_000);
      expect(second?.state()).toMatchObject({ kind: 'known' });
      expect(third?.state()).toEqual(since);
    }
    poller.close();
  });

  it('that changes is seen with its details at the next poll', async () => {
    const controller = new FakeSlurm(false);
    controller.jobs = [job('1', { state: 'PENDING', reason: 'Priority' })];
    const poller = new JobPoller(controller, options);
    const watch = poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(2_000);
    controller.jobs = [job('1', { nodes: ['a100-0'] })];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(watch.state()).toMatchObject({ kind: 'known', job: { state: 'RUNNING', nodes: ['a100-0'] } });
    poller.close();
  });

  it.each<[string, boolean, Partial<SlurmJob>]>([
    ['COMPLETED', true, { state: 'COMPLETED' }],
    ['FAILED', true, { state: 'FAILED' }],
    ['TIMEOUT', true, { state: 'TIMEOUT' }],
    ['CANCELLED by somebody', true, { state: 'CANCELLED', cancelledBy: 'root' }],
    ['CANCELLED by nobody: ended in the books alone', false, { state: 'CANCELLED' }],
    ['NODE_FAIL: perhaps an earlier life', false, { state: 'NODE_FAIL' }],
    ['PREEMPTED: perhaps an earlier life', false, { state: 'PREEMPTED' }],
    ['RUNNING: slurmdbd lags', false, { state: 'RUNNING' }],
    ["COMPLETED, but another job's", false, { state: 'COMPLETED', name: 'of-somebody-else' }],
  ])('that slurmctld has forgotten and slurmdbd calls %s is gone: %s', async (_name, gone, record) => {
    const controller = new FakeSlurm(true);
    controller.records = [job('1', { source: 'slurmdbd', ...record })];
    const poller = new JobPoller(controller, options);
    const watch = poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(watch.state()).toMatchObject({ kind: 'absent', gone });
    poller.close();
  });

  it('that slurmctld has forgotten is asked for in slurmdbd once a minute, one job a poll, dead or not', async () => {
    const controller = new FakeSlurm(true);
    controller.records = undefined;
    const poller = new JobPoller(controller, options);
    const watches = ['1', '2', '3'].map((id) => poller.watch(id, `job-${id}`));
    await vi.advanceTimersByTimeAsync(40_000);
    expect(controller.asked.filter((what) => what.startsWith('record')).toSorted()).toEqual([
      'record of 1',
      'record of 2',
      'record of 3',
    ]);
    for (const watch of watches) expect(watch.state()).toMatchObject({ kind: 'absent', gone: false });
    controller.records = [job('3', { state: 'COMPLETED', source: 'slurmdbd' })];
    await vi.advanceTimersByTimeAsync(60_000);
    expect(watches[2]?.state()).toMatchObject({ kind: 'absent', gone: true });
    poller.close();
  });

  it('whose record cannot be asked for by a bug ends no worker: its absence goes on counting', async () => {
    const controller = new FakeSlurm(true);
    let asked = 0;
    controller.accountingJobs = async () => {
      asked += 1;
      throw new TypeError('a bug');
    };
    const unhandled: unknown[] = [];
    const keep = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', keep);
    const poller = new JobPoller(controller, options);
    const watch = poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(30_000);
    vi.useRealTimers();
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', keep);
    expect({ asked, unhandled }).toEqual({ asked: 1, unhandled: [] });
    expect(watch.state()).toMatchObject({ kind: 'absent', gone: false });
    poller.close();
  });
});
