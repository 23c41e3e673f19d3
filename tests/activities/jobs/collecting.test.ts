/** Collecting: what an attempt left, and Slurm's word, give its class; what is not there yet is waited for, once. */
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { rejection } from '../fixtures.ts';
import { job } from './fake-slurm.ts';
import {
  type Cluster,
  cluster,
  exists,
  leave,
  type Leaves,
  name,
  order,
  outcome,
  result,
  row,
  worker,
} from './job-worker.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from './moments.ts';

/** statfs types: a disk of this machine, a mount of a file server. */
const [ext4, nfs] = [0xef53, 0x6969];
const disk = vi.hoisted(() => ({ type: 0 }));

vi.mock('node:fs/promises', async (original) => ({
  ...(await import('./moments.ts')).watchedFiles(await original()),
  statfs: async () => disk,
}));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

const second = 1_000;
let at: Cluster;
beforeEach(async () => {
  disk.type = ext4;
  at = await cluster();
  at.slurm.create(name, at.folder);
});

/** Nodes start job 7, it leaves this, and ends as Slurm says. */
async function ended(state: string, leaves: Leaves = {}): Promise<void> {
  await at.slurm.schedule();
  await leave(at.folder, leaves);
  at.slurm.end('7', state);
}
const collect = async (jobId = '7') => lived(() => worker(at).collect(jobId));
const killed = { outcome: undefined, result: undefined, hasOutput: false };

describe('an attempt that has done what was planned', () => {
  it('is completed by its own files: Slurm is not asked', async () => {
    await ended('COMPLETED');
    at.slurm.asked = [];
    expect(await collect()).toMatchObject({
      jobClass: 'completed',
      progress: 10,
      seconds: 60,
      slurmState: 'COMPLETED',
    });
    expect(at.slurm.asked).toEqual([]);
  });

  it('is completed also if the outcome names another job of it: the attempt’s name is the key', async () => {
    await ended('COMPLETED', { outcome: { ...outcome, job_id: '8' } });
    expect(await collect()).toMatchObject({ jobClass: 'completed' });
  });

  it('is completed whatever Slurm says after it: a node that fails then changes nothing', async () => {
    await ended('NODE_FAIL');
    expect(await collect()).toMatchObject({ jobClass: 'completed' });
  });

  it('is collected by the next worker just the same, whenever the first one is killed', async () => {
    await ended('COMPLETED');
    const first = await collect();
    const effects = await effectsOf(() => worker(at).collect('7'));
    expect(effects).toEqual(['mkdir claim']);
    await killedAt(0, () => worker(at).collect('7'));
    expect(await collect()).toEqual(first);
  });
});

describe('an attempt that exited with 0', () => {
  it.each<[string, Leaves, RegExp]>([
    ['did fewer steps than planned', { result: { ...result, steps_done: 9 } }, /^9 of 10 steps were done$/],
    ['has a loss that is no number', { result: { ...result, finite: false } }, /not finite/],
    [
      'began at another step than its checkpoint’s',
      { result: { ...result, resumed_from_step: 4 } },
      /from step 4 but the first step was 1/,
    ],
    ['left no result', { result: undefined }, /left no result.json/],
    ['left half a result', { result: JSON.stringify(result).slice(0, 40) }, /result.json is not JSON/],
    [
      'left the result of another attempt',
      { result: { ...result, name: 'critic-x-sft-a1' } },
      /file of attempt "critic-x-sft-a1" stands/,
    ],
    ['left no output', { hasOutput: false }, /the output is missing/],
  ])('and %s is not completed', async (_what, leaves, evidence) => {
    await ended('COMPLETED', leaves);
    expect(await collect()).toMatchObject({
      jobClass: 'postcondition-failed',
      evidence: expect.stringMatching(evidence),
    });
  });
});

describe('an attempt with something else than files in its output', () => {
  it.each<[string, (path: string) => unknown]>([
    ['a named pipe', (path) => execFileSync('mkfifo', [path])],
    ['a symbolic link', (path) => symlink('/etc/passwd', path)],
  ])('(%s, however deep) is not completed: it could never be published', async (kind, make) => {
    await mkdir(join(at.folder, 'output/deep/er'), { recursive: true });
    await make(join(at.folder, 'output/deep/er/thing'));
    await ended('COMPLETED');
    expect(await collect()).toMatchObject({
      jobClass: 'postcondition-failed',
      evidence: `the output cannot be published: "deep/er/thing" is ${kind}`,
    });
  });
});

describe('an attempt without a readable outcome', () => {
  it.each<[string, Leaves, RegExp]>([
    ['left none', { outcome: undefined }, /COMPLETED but there is no outcome.json/],
    ['left half of one', { outcome: JSON.stringify(outcome).slice(0, 40) }, /outcome.json is not JSON/],
    ['left one without an exit code', { outcome: { ...outcome, exit_code: '0' } }, /outcome.json: exit_code/],
    [
      'left that of another attempt',
      { outcome: { ...outcome, name: 'critic-x-sft-a1' } },
      /file of attempt "critic-x-sft-a1" stands/,
    ],
  ])('(it %s) is not believed, though all else is there', async (_what, leaves, evidence) => {
    await ended('COMPLETED', leaves);
    expect(await collect()).toMatchObject({
      jobClass: 'postcondition-failed',
      evidence: expect.stringMatching(evidence),
    });
  });

  it.each([
    ['TIMEOUT', 'time-limit'],
    ['PREEMPTED', 'preempted'],
    ['NODE_FAIL', 'node-failed'],
    ['OUT_OF_MEMORY', 'out-of-memory'],
    ['CANCELLED', 'cancelled-by-other'],
  ])('is what Slurm says: %s is %s', async (state, jobClass) => {
    await ended(state, killed);
    expect(await collect()).toMatchObject({ jobClass, slurmState: state });
  });

  it('is what slurmdbd says once slurmctld has forgotten the job', async () => {
    await ended('TIMEOUT', killed);
    at.slurm.forget('7');
    expect(await collect()).toMatchObject({ jobClass: 'time-limit', slurmState: 'TIMEOUT' });
  });

  it('is not what another job’s end says: ids are given anew', async () => {
    await ended('TIMEOUT', killed);
    at.slurm.jobs = [job('7', { name: 'of-somebody-else', state: 'PREEMPTED' })];
    at.slurm.records = [job('7', { name: 'of-somebody-else', state: 'PREEMPTED' })];
    expect(await collect()).toMatchObject({ jobClass: 'lost', slurmState: 'VANISHED' });
  });

  it('is not judged while slurmrestd does not answer', async () => {
    await ended('TIMEOUT', killed);
    at.slurm.down = true;
    const error = await lived(() => rejection(worker(at).collect('7')));
    expect(error).toMatchObject({ message: expect.stringContaining('does not answer') });
    expect(error).not.toMatchObject({ nonRetryable: true });
    at.slurm.down = false;
    expect(await collect()).toMatchObject({ jobClass: 'time-limit' });
  });

  it('goes on from its newest whole checkpoint, and counts no step that none holds', async () => {
    await ended('NODE_FAIL', { ...killed, metrics: 9 });
    for (const step of ['checkpoint-4', 'checkpoint-8', 'checkpoint-9.tmp']) {
      await mkdir(join(at.folder, 'checkpoints', step), { recursive: true });
    }
    const checkpoint = join(at.folder, 'checkpoints/checkpoint-8');
    expect(await collect()).toMatchObject({ jobClass: 'node-failed', checkpoint, progress: 8 });
  });
});

describe('an attempt that was killed after its last step, before its model was whole', () => {
  const saved = async (...steps: number[]) => {
    await ended('NODE_FAIL', { ...killed, metrics: 10 });
    for (const step of steps) await mkdir(join(at.folder, `checkpoints/checkpoint-${step}`), { recursive: true });
  };

  it('goes on from the checkpoint before: from that of step 10 of 10 LLaMA-Factory makes no model', async () => {
    await saved(8, 10);
    const checkpoint = join(at.folder, 'checkpoints/checkpoint-8');
    expect(await collect()).toMatchObject({ jobClass: 'node-failed', checkpoint, progress: 8 });
  });

  it('goes on from that of step 10 where its engine makes a model from it alone', async () => {
    await saved(8, 10);
    const onRay = { ...order, engine: { name: 'verl' as const, versions: {} } };
    const checkpoint = join(at.folder, 'checkpoints/checkpoint-10');
    expect(await lived(() => worker(at).collect('7', onRay))).toMatchObject({ checkpoint, progress: 10 });
  });

  it('has none of its own if it wrote no other: what it was resumed from stands', async () => {
    await saved(10);
    expect(await collect()).toMatchObject({ jobClass: 'node-failed', checkpoint: null, progress: null });
  });
});

describe('an attempt that was killed while it saved its first checkpoint', () => {
  it('has none: the next one begins at step 0', async () => {
    await ended('NODE_FAIL', { ...killed, metrics: 9 });
    await mkdir(join(at.folder, 'checkpoints/checkpoint-9.tmp'), { recursive: true });
    expect(await collect()).toMatchObject({ jobClass: 'node-failed', checkpoint: null, progress: null });
  });
});

describe('metrics that are cut in the middle of a line', () => {
  it('count up to their last whole line', async () => {
    await ended('COMPLETED', { metrics: row(1) + row(2) + row(3).slice(0, -3) });
    expect(await collect()).toMatchObject({ jobClass: 'completed', progress: 2 });
  });

  it('count on both sides of a line that is no JSON', async () => {
    await ended('COMPLETED', { metrics: `${row(1)}${row(2).slice(0, 9)}\n${row(3)}` });
    expect(await collect()).toMatchObject({ progress: 3 });
  });
});

describe('an attempt that no job has begun', () => {
  it('is closed before it is judged: a job that starts later works nothing', async () => {
    at.slurm.end('7', 'NODE_FAIL');
    expect(await collect()).toMatchObject({ jobClass: 'node-failed' });
    at.slurm.create(name, at.folder);
    await at.slurm.schedule();
    expect(at.slurm.worked).toEqual([]);
  });

  it('is closed also by a worker that was killed before it had done so', async () => {
    at.slurm.end('7', 'NODE_FAIL');
    await killedAt(0, () => worker(at).collect('7'));
    expect(await exists(join(at.folder, 'claim'))).toBe(false);
    await collect();
    expect(await exists(join(at.folder, 'claim'))).toBe(true);
  });
});

describe('on a shared file system', () => {
  beforeEach(() => void (disk.type = nfs));

  it('an outcome that is shown a minute late is waited for', async () => {
    await ended('COMPLETED', killed);
    setTimeout(() => void leave(at.folder), 60 * second);
    expect(await collect()).toMatchObject({ jobClass: 'completed', progress: 10 });
  });

  it('an output that is shown a minute after its outcome is waited for', async () => {
    await ended('COMPLETED', { hasOutput: false });
    setTimeout(
      () => void mkdir(join(at.folder, 'output')).then(() => writeFile(join(at.folder, 'output/config.json'), '{}')),
      60 * second,
    );
    expect(await collect()).toMatchObject({ jobClass: 'completed' });
  });

  it('what was killed and left no outcome is waited for 90 s, once', async () => {
    await ended('NODE_FAIL', killed);
    const startedAt = Date.now();
    expect(await collect()).toMatchObject({ jobClass: 'node-failed' });
    expect(Math.round((Date.now() - startedAt) / second)).toBe(90);
  });

  it('what no job has begun is not waited for', async () => {
    at.slurm.end('7', 'NODE_FAIL');
    const startedAt = Date.now();
    expect(await collect()).toMatchObject({ jobClass: 'node-failed' });
    expect(Date.now()).toBe(startedAt);
  });
});
