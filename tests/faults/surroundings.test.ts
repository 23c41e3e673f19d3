/** Faults of what stands around: files, disks, clocks, users, other people's jobs, operators who press buttons. */
import { chmodSync, chownSync, existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fixture } from './fixture.ts';
import {
  accounted,
  attemptFolder,
  doneSteps,
  newRun,
  otherNode,
  queued,
  runningJob,
  settled,
  starts,
  story,
  until,
  type Wish,
} from './runs.ts';
import {
  appendToSlurmConf,
  kill,
  launch,
  loseState,
  mountSmallStore,
  restPort,
  runs,
  signal,
  slurm,
  stateSaved,
  where,
  writeToken,
} from './stack.ts';

const stand = fixture();
const once = ['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1', 'end a1'];
const long: Wish = { steps: 12, stepSeconds: 1, checkpoints: true };
const twelve = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

async function result(run: string): Promise<void> {
  await stand.runs.client.workflow.getHandle(run).result();
  expect(await queued(run)).toEqual([]);
}

async function reaches(run: string, step: number): Promise<string> {
  await until(`step ${step} of ${run}`, 90, () => doneSteps(run).includes(step));
  return runningJob(run);
}

/** Each step was done, and at most one twice: the one after the last checkpoint. */
function nothingLost(run: string): void {
  expect([...new Set(doneSteps(run))].toSorted((a, b) => a - b)).toEqual(twelve);
  expect(doneSteps(run).length).toBeLessThanOrEqual(13);
}

describe('slurmrestd and its callers', () => {
  it('every answer takes three seconds: one submission, and the job runs once', async () => {
    const run = newRun('slow');
    stand.proxy.lateMs = 3_000;
    stand.proxy.rule = () => 'late';
    await stand.runs.start(run);
    await result(run);
    expect(story(run)).toEqual(once);
    expect(stand.proxy.seen.filter((one) => one.method === 'POST')).toHaveLength(1);
  });

  it('all its connections are taken by others for 20 s: the run waits, and the job runs once', async () => {
    const run = newRun('connections');
    stand.proxy.rule = () => 'drop-before';
    await sleep(6_000); // until the proxy's own idle connections are closed
    const sockets: Socket[] = Array.from({ length: 140 }, () =>
      connect(restPort, '127.0.0.1').on('error', () => undefined),
    );
    await sleep(1_000);
    stand.proxy.rule = () => 'pass';
    await stand.runs.start(run);
    await sleep(20_000);
    const before = starts(run);
    for (const socket of sockets) socket.destroy();
    await result(run);
    expect(before).toEqual([]);
    expect(story(run)).toEqual(once);
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
  });

  it("the token is another user's: nothing is submitted, and with the right one it runs once", async () => {
    const run = newRun('wrong-user');
    await writeToken(86_400, 'nobody');
    await stand.runs.start(run);
    await sleep(10_000);
    const before = { starts: starts(run), queued: await queued(run) };
    await writeToken(86_400);
    await result(run);
    expect(before).toEqual({ starts: [], queued: [] });
    expect(story(run)).toEqual(once);
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
  });
});

describe('files and disks', () => {
  it('the folder of its stdout cannot be written: the next attempt runs, the first did nothing', async () => {
    const run = newRun('stdout');
    let spoilt = false;
    stand.proxy.rule = ({ method }) => {
      if (method === 'POST' && !spoilt) {
        spoilt = true;
        chownSync(attemptFolder(run), 0, 0);
        chmodSync(attemptFolder(run), 0o500);
      }
      return 'pass';
    };
    await stand.runs.start(run);
    await result(run);
    expect(starts(run)).toEqual(['start a2']);
    expect(story(run).at(-1)).toBe('end a2');
    // Whatever Slurm starts of the first one later meets a claim that is taken.
    expect(existsSync(join(attemptFolder(run), 'claim'))).toBe(true);
  });

  it('the disk of the store is full in mid-job: the run waits for room and is done once there is some', async () => {
    const run = newRun('disk-full');
    const unmount = await mountSmallStore();
    const filler = join(where.store, 'filler');
    try {
      await stand.runs.start(run, { steps: 6, stepSeconds: 0.5, checkpoints: true });
      await until('the job has begun', 60, () => doneSteps(run).includes(2));
      fill(filler);
      const full = await until('the run says that there is no room', 120, async () =>
        (await stand.runs.troubles(run)).find((trouble) => /ENOSPC|no space/i.test(trouble)),
      );
      expect(full).toMatch(/ENOSPC|no space/i);
      rmSync(filler);
      await result(run);
      expect(story(run).filter((line) => line.startsWith('end'))).toHaveLength(1);
      expect([...new Set(doneSteps(run))]).toEqual([1, 2, 3, 4, 5, 6]);
    } finally {
      await unmount();
    }
  });
});

describe('time and other people', () => {
  it.each([
    ['behind', '-600s'],
    ['ahead', '+600s'],
  ])("the cluster's clock is ten minutes %s: the job runs once and is collected", async (_where, offset) => {
    const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
    if (!existsSync(faketime)) throw new Error(`${faketime} is missing: "npm test" installs libfaketime`);
    const daemons = ['slurmctld', 'slurmd-a100-0', 'slurmd-a100-1'];
    const run = newRun('clock');
    // A slurmctld that lost what it had not saved would give ids anew, and slurmd refuses those that it has seen.
    await stateSaved();
    for (const daemon of daemons) await kill(daemon);
    try {
      for (const daemon of daemons) await launch(daemon, { LD_PRELOAD: faketime, FAKETIME: offset });
      await stand.runs.start(run);
      await result(run);
      expect(story(run)).toEqual(once);
    } finally {
      await stateSaved();
      for (const daemon of daemons) if (runs(daemon)) await kill(daemon);
      for (const daemon of daemons) await launch(daemon);
    }
  });

  it('an urgent job preempts it: a new attempt resumes from the checkpoint, not counted as a failure', async () => {
    const run = newRun('preempted');
    await appendToSlurmConf([
      'PreemptType=preempt/partition_prio',
      'PreemptMode=CANCEL',
      'PartitionName=urgent Nodes=ALL PriorityTier=100 State=UP',
    ]);
    try {
      await stand.runs.start(run, long);
      const id = await reaches(run, 3);
      const node = await slurm('squeue', '-h', '-j', id, '-o', '%N');
      await slurm(
        'sbatch',
        '-p',
        'urgent',
        '-w',
        node,
        '--exclusive',
        '-D',
        '/tmp',
        '-o',
        '/dev/null',
        '--wrap',
        'sleep 3',
      );
      await result(run);
      expect(starts(run)).toEqual(['start a1', 'start a2']);
      nothingLost(run);
      await expect.poll(async () => (await accounted(run)).toSorted(), settled).toEqual(['COMPLETED', 'PREEMPTED']);
    } finally {
      await appendToSlurmConf([]);
    }
  });

  it('slurmctld loses its state and gives the id to somebody else: that job is left alone, the run goes on', async () => {
    const run = newRun('reused-id');
    await stand.runs.start(run, long);
    const id = await reaches(run, 3);
    const elsewhere = await otherNode(id);
    await loseState(Number(id));
    const foreign = await slurm(
      'sbatch',
      '--parsable',
      '-J',
      'foreign',
      '-w',
      elsewhere,
      '-D',
      '/tmp',
      '-o',
      '/dev/null',
      '--wrap',
      'sleep 300',
    );
    expect(foreign).toBe(id);
    await until('a second attempt starts', 120, () => starts(run).length === 2);
    const look = () => slurm('squeue', '-h', '-j', foreign, '-o', '%j %T');
    await until('the other job runs', 60, async () => (await look()) === 'foreign RUNNING');
    await result(run);
    expect(await look()).toBe('foreign RUNNING');
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    // Until slurmd is told that nobody knows it any more, the lost one works on: steps may overlap, but none is missing.
    expect([...new Set(doneSteps(run))].toSorted((a, b) => a - b)).toEqual(twelve);
    expect(story(run)).not.toContain('step 1 a2');
    expect(story(run).filter((line) => line.startsWith('end'))).toEqual(['end a2']);
    await slurm('scancel', foreign);
    // A slurmctld that is killed before it is gone takes it up again.
    await until('the other job is gone', 60, async () => (await look()) === '');
    await appendToSlurmConf([]);
  });
});

describe('workers that stop and operators who press buttons', () => {
  it('the worker stands still for longer than its heartbeat and goes on: the job runs once', async () => {
    const run = newRun('paused-worker');
    await stand.runs.start(run, { steps: 50, stepSeconds: 1 });
    await runningJob(run);
    signal('worker', 'SIGSTOP');
    await sleep(45_000);
    signal('worker', 'SIGCONT');
    await result(run);
    expect(starts(run)).toEqual(['start a1']);
    expect(story(run).at(-1)).toBe('end a1');
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
  });

  it('the watching is paused, then reset in the UI: its job goes on and runs once', async () => {
    const run = newRun('paused-activity');
    await stand.runs.start(run, long);
    const id = await reaches(run, 2);
    const activity = { namespace: 'default', execution: { workflowId: run }, id: 'sft-a1-watch' };
    const service = stand.runs.client.workflowService;
    await service.pauseActivity(activity);
    await sleep(4_000);
    expect(await slurm('squeue', '-h', '-j', id, '-o', '%T')).toBe('RUNNING');
    await service.unpauseActivity(activity);
    await until('it is watched again', 30, async () => (await stand.runs.pending(run)).includes('sft-a1-watch'));
    await service.resetActivity(activity);
    await result(run);
    expect(starts(run)).toEqual(['start a1']);
    expect(doneSteps(run)).toEqual(twelve);
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
  });
});

/** Leaves no byte free. */
function fill(path: string): void {
  const { bavail, bsize } = statfsSync(where.store);
  writeFileSync(path, Buffer.alloc(bavail * bsize));
}
