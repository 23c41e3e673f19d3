import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type JobStatus, SlurmError, type SlurmJob } from 'slurm-rest-client';
import { JobPoller } from '../../activities/job-poller.ts';

const job = (id: string, rest: Partial<SlurmJob> = {}): SlurmJob => ({
  id,
  name: `job-${id}`,
  state: 'RUNNING',
  flags: [],
  source: 'slurmctld',
  userName: 'critic',
  account: undefined,
  partition: undefined,
  qos: undefined,
  submitTime: undefined,
  startTime: undefined,
  endTime: undefined,
  preemptTime: undefined,
  reason: '',
  stateDescription: '',
  requeue: false,
  nodes: [],
  failedNode: undefined,
  cancelledBy: undefined,
  workDirectory: undefined,
  standardOutput: undefined,
  standardError: undefined,
  timeLimitMinutes: undefined,
  restartCount: 0,
  comment: '',
  exit: { kind: 'none', code: undefined, signal: undefined },
  derivedExit: { kind: 'none', code: undefined, signal: undefined },
  ...rest,
});

/** A controller of this API family: 22.05's states come with details, later ones' do not. Requests are counted. */
class Controller {
  jobs: SlurmJob[] = [];
  /** What slurmdbd has; undefined: it does not answer. */
  records: SlurmJob[] | undefined = [];
  asked: string[] = [];
  down = false;
  readonly #details: boolean;

  constructor(details: boolean) {
    this.#details = details;
  }

  async jobStates(ids: readonly string[]): Promise<JobStatus[]> {
    this.#count(`states of ${ids.length}`);
    const found = this.jobs.filter(({ id }) => ids.includes(id));
    return found.map((one) => ({
      id: one.id,
      state: one.state,
      flags: one.flags,
      ...(this.#details ? { details: one } : {}),
    }));
  }

  async getJob(id: string): Promise<SlurmJob | undefined> {
    this.#count(`job ${id}`);
    return this.jobs.find((one) => one.id === id);
  }

  async listJobs(): Promise<SlurmJob[]> {
    this.#count('list');
    return this.jobs;
  }

  async accountingJobs({ id }: { id: string }): Promise<SlurmJob[]> {
    this.#count(`record of ${id}`);
    if (this.records === undefined) {
      throw new SlurmError('no slurmdbd', { kind: 'unavailable', delivery: 'not-delivered' });
    }
    return this.records.filter((one) => one.id === id);
  }

  #count(what: string): void {
    this.asked.push(what);
    if (this.down) throw new Error('the controller does not answer');
  }
}

const options = { intervalMs: 10_000, maxBackoffMs: 60_000, random: () => 0.5 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('requests', () => {
  it.each([1, 10, 1000])('of %i pending jobs are six a minute on 22.05', async (count) => {
    const controller = new Controller(true);
    controller.jobs = Array.from({ length: count }, (_, i) => job(String(i), { state: 'PENDING' }));
    const poller = new JobPoller(controller, options);
    for (const { id, name } of controller.jobs) poller.watch(id, name);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(controller.asked).toHaveLength(6);
    poller.close();
  });

  it.each([1, 10, 1000])('of %i pending jobs are one a minute more on later releases', async (count) => {
    const controller = new Controller(false);
    controller.jobs = Array.from({ length: count }, (_, i) => job(String(i), { state: 'PENDING' }));
    const poller = new JobPoller(controller, options);
    for (const { id, name } of controller.jobs) poller.watch(id, name);
    await vi.advanceTimersByTimeAsync(120_000);
    const states = controller.asked.filter((what) => what.startsWith('states'));
    expect(states).toHaveLength(12);
    expect(controller.asked.length - states.length).toBe(2);
    poller.close();
  });

  it('are not more because a watcher leaves with each news and comes back', async () => {
    const controller = new Controller(true);
    controller.jobs = [job('1')];
    const poller = new JobPoller(controller, options);
    for (let i = 0; i < 60; i += 1) {
      const watch = poller.watch('1', 'job-1');
      await vi.advanceTimersByTimeAsync(1_000);
      watch.close();
    }
    expect(controller.asked).toHaveLength(6);
    poller.close();
  });

  it('end when nobody watches', async () => {
    const controller = new Controller(true);
    const poller = new JobPoller(controller, options);
    poller.watch('1', 'job-1').close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(controller.asked).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that are hurried come once a second at most', async () => {
    const controller = new Controller(true);
    const poller = new JobPoller(controller, options);
    poller.watch('1', 'job-1');
    for (let i = 0; i < 100; i += 1) {
      poller.hurry();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(controller.asked.filter((what) => what.startsWith('states')).length).toBeLessThanOrEqual(10);
    poller.close();
  });
});

describe('a job', () => {
  it('is unknown while the controller does not answer, and absent only once it answers', async () => {
    const controller = new Controller(true);
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
    const controller = new Controller(true);
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
    const controller = new Controller(details);
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

  it('that changes is seen with its details at the next poll', async () => {
    const controller = new Controller(false);
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
    const controller = new Controller(true);
    controller.records = [job('1', { source: 'slurmdbd', ...record })];
    const poller = new JobPoller(controller, options);
    const watch = poller.watch('1', 'job-1');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(watch.state()).toMatchObject({ kind: 'absent', gone });
    poller.close();
  });

  it('that slurmctld has forgotten is asked for in slurmdbd once a minute, one job a poll, dead or not', async () => {
    const controller = new Controller(true);
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
});
