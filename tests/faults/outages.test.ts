/** Outages that meet a job at each phase of its life, and attempts that cannot start, cannot be kept or are thrown out. */
import { chmodSync, existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fixture } from './fixture.ts';
import { attemptFolder, doneSteps, newRun, queued, runningJob, starts, story, until } from './runs.ts';
import {
  appendToSlurmConf,
  kill,
  launch,
  mountReadOnlyStore,
  mountSmallStore,
  slurm,
  stateSaved,
  where,
} from './stack.ts';

const stand = fixture();
const once = ['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1', 'end a1'];

async function result(run: string): Promise<void> {
  await stand.runs.client.workflow.getHandle(run).result();
}

describe('slurmctld is dead for a minute', () => {
  it('while jobs are being submitted, pending, running, ending, being collected and being cancelled: nothing twice, nothing lost', async () => {
    const [submitting, pending, running] = [newRun('dead-submitting'), newRun('dead-pending'), newRun('dead-running')];
    const [ending, collecting] = [newRun('dead-ending'), newRun('dead-collecting')];
    const cancelling = newRun('dead-cancelling');
    const resumes = Promise.withResolvers<'pass'>();
    let caught = false;
    stand.proxy.rule = async ({ path }) => {
      if (caught || !/\/job\/\d+$/.test(path)) return 'pass';
      if (!(await stand.runs.pending(collecting)).includes('sft-a1-collect')) return 'pass';
      caught = true;
      return resumes.promise;
    };
    await stand.runs.start(running, { steps: 200, stepSeconds: 0.5 });
    await stand.runs.start(ending, { steps: 60, stepSeconds: 0.5 });
    await stand.runs.start(collecting, { sabotage: 'no-outcome' });
    const cancelled = await stand.runs.start(cancelling, { steps: 600, stepSeconds: 0.5 });
    for (const run of [running, ending, collecting, cancelling])
      await until(`${run} runs`, 60, () => starts(run).length > 0);
    await slurm('scontrol', 'update', 'partitionname=a100', 'state=down');
    await stand.runs.start(pending);
    await until('one is pending', 60, async () => (await queued(pending))[0]?.state === 'PENDING');
    await until('one is being collected', 90, () => caught);
    await stateSaved();
    await kill('slurmctld');
    resumes.resolve('pass');
    const deadSince = Date.now();
    await stand.runs.start(submitting);
    await cancelled.cancel();
    await result(ending);
    expect(Date.now() - deadSince).toBeLessThan(60_000); // its own file was enough
    await sleep(60_000 - (Date.now() - deadSince));
    await launch('slurmctld');
    await slurm('scontrol', 'update', 'partitionname=a100', 'state=up');
    for (const run of [submitting, pending, running, collecting]) await result(run);
    await expect(cancelled.result()).rejects.toThrow('cancelled');
    expect(story(submitting)).toEqual(once);
    expect(story(pending)).toEqual(once);
    expect(starts(cancelling)).toEqual(['start a1']);
    expect(story(cancelling).at(-1)).not.toContain('end');
    expect(starts(running)).toEqual(['start a1']);
    expect(story(running).at(-1)).toBe('end a1');
    expect(starts(ending)).toEqual(['start a1']);
    expect(starts(collecting)).toEqual(['start a1', 'start a2']);
    for (const run of [submitting, pending, running, ending, collecting, cancelling]) {
      expect(await queued(run)).toEqual([]);
    }
  });
});

describe('a run that is cancelled', () => {
  it('while its store is read-only: its job, which waits for a node, is cancelled all the same', async () => {
    const run = newRun('read-only');
    await slurm('scontrol', 'update', 'partitionname=a100', 'state=down');
    const handle = await stand.runs.start(run);
    await until('its job is pending', 60, async () => (await queued(run))[0]?.state === 'PENDING');
    const unmount = await mountReadOnlyStore();
    try {
      await handle.cancel();
      await until('its job is gone', 60, async () => (await queued(run)).length === 0);
      await expect(handle.result()).rejects.toThrow('cancelled');
    } finally {
      await unmount();
      await slurm('scontrol', 'update', 'partitionname=a100', 'state=up');
    }
    expect(starts(run)).toEqual([]);
  });
});

describe('an attempt', () => {
  it('is thrown out by an urgent job where preemption requeues: it is not requeued, a new attempt resumes', async () => {
    const run = newRun('preempt-requeue');
    await appendToSlurmConf([
      'PreemptType=preempt/partition_prio',
      'PreemptMode=REQUEUE',
      'PartitionName=urgent Nodes=ALL PriorityTier=100 State=UP',
    ]);
    try {
      await stand.runs.start(run, { steps: 12, stepSeconds: 1, checkpoints: true });
      await until('step 3', 90, () => doneSteps(run).includes(3));
      const node = await slurm('squeue', '-h', '-j', await runningJob(run), '-o', '%N');
      const urgent = ['-p', 'urgent', '-w', node, '--exclusive', '-D', '/tmp', '-o', '/dev/null', '--wrap', 'sleep 3'];
      await slurm('sbatch', ...urgent);
      await result(run);
      expect(starts(run)).toEqual(['start a1', 'start a2']);
      expect([...new Set(doneSteps(run))]).toHaveLength(12);
      expect(doneSteps(run).length).toBeLessThanOrEqual(13);
    } finally {
      await appendToSlurmConf([]);
    }
  });

  it('can start on no node: the run names those it set aside, and uses them again once that is mended', async () => {
    const run = newRun('no-folder');
    let jobs = '';
    stand.proxy.rule = ({ method }) => {
      if (method === 'POST') {
        jobs = dirname(attemptFolder(run));
        chmodSync(jobs, 0o700);
      }
      return 'pass';
    };
    await stand.runs.start(run);
    const sentence = await stand.runs.question(run, 240);
    expect(sentence).toMatch(/set aside after failures: a100-\d, a100-\d/);
    expect(starts(run)).toEqual([]);
    stand.proxy.rule = () => 'pass';
    chmodSync(jobs, 0o2750);
    await stand.runs.answer(run, 'retry');
    await result(run);
    expect(starts(run)).toHaveLength(1);
    expect(story(run).at(-1)).toMatch(/^end/);
  });

  it('ends on a full disk and leaves no outcome: nothing half is published, the next one is done once there is room', async () => {
    const run = newRun('full-at-end');
    const unmount = await mountSmallStore();
    const filler = join(where.store, 'filler');
    try {
      await stand.runs.start(run, { stepSeconds: 2 });
      await until('the last step but one', 60, () => doneSteps(run).includes(2));
      fill(filler);
      await until('the first attempt has ended', 60, async () => (await queued(run)).length === 0);
      await sleep(5_000);
      expect(existsSync(join(where.store, 'artifacts'))).toBe(false);
      rmSync(filler);
      await result(run);
      expect(story(run).filter((line) => line.startsWith('end'))).not.toEqual([]);
    } finally {
      await unmount();
    }
  });
});

/** Leaves no byte free. */
function fill(path: string): void {
  const { bavail, bsize } = statfsSync(where.store);
  writeFileSync(path, Buffer.alloc(bavail * bsize));
}
