/** Attempts on disk: prepared as often as one likes, published once, whenever a worker is killed. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createAttemptActivities } from '../../../activities/jobs/attempts.ts';
import { copyFiles } from '../../../activities/store/imported-folder.ts';
import { attemptName, paths } from '../../../domain/names.ts';
import { activityEnvironment, inActivity, rejection, temporaryFolder } from '../fixtures.ts';
import { type Cluster, cluster, exists, input, leave, name, order, row, run, worker } from './job-worker.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

let at: Cluster;
beforeEach(async () => {
  at = await cluster();
});

const manifest = async () => readFile(join(at.folder, 'attempt.json'), 'utf8');
const hidden = (file: string) => /^(?:attempt|key)\.json\./.test(file);

describe('an attempt that is prepared', () => {
  it('twice is the same folder with the same content', async () => {
    const first = await lived(() => worker(at).prepare());
    const text = await manifest();
    expect(await lived(() => worker(at).prepare())).toEqual(first);
    expect(first).toEqual({ name, directory: at.folder, attempt: 1 });
    expect(await manifest()).toBe(text);
    expect(await readdir(at.folder)).toEqual(['attempt.json', 'key.json']);
  });

  it('by a worker that is killed has its manifest whole or not at all, and the next worker writes it', async () => {
    const effects = await effectsOf(() => worker(at).prepare());
    const text = await manifest();
    for (let moment = 0; moment < effects.length; moment += 1) {
      at = await cluster();
      await killedAt(moment, () => worker(at).prepare());
      const left = (await exists(join(at.folder, 'attempt.json'))) ? await manifest() : text;
      expect([effects[moment], left]).toEqual([effects[moment], text]);
      await lived(() => worker(at).prepare());
      expect([effects[moment], await manifest()]).toEqual([effects[moment], text]);
      expect((await readdir(at.folder)).filter((file) => !hidden(file))).toEqual(['attempt.json', 'key.json']);
    }
    expect(effects).toContainEqual(expect.stringMatching(/^rename .* attempt.json$/));
  });

  it('of a run whose id ends like a stage is refused: the cancel and the reaper would take it for another run', async () => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
    const activities = createAttemptActivities({ store: at.store, job: {}, models: {} } as never);
    const wrong = { ...input, order: { ...order, run: `${run}-sft`, stage: 'grpo' as const } };
    const prepare = () => inActivity(activityEnvironment().env, () => activities.prepareAttempt(wrong));
    await expect(prepare()).rejects.toMatchObject({
      type: 'ConfigInvalid',
      nonRetryable: true,
      message: expect.stringContaining(`${run}-sft`),
    });
    expect(await exists(join(at.store.root, 'runs', `${run}-sft`))).toBe(false);
  });

  it('again after a job has begun it keeps the job’s claim: another job of it works nothing', async () => {
    at.slurm.create(name, at.folder);
    await at.slurm.schedule();
    await lived(() => worker(at).prepare());
    at.slurm.create(name, at.folder);
    at.slurm.end('7', 'NODE_FAIL');
    await at.slurm.schedule();
    expect(at.slurm.worked).toEqual(['7']);
  });

  it('as the next one has a folder and a claim of its own', async () => {
    await lived(() => worker(at).prepare());
    await mkdir(join(at.folder, 'claim'));
    const next = await lived(() => worker(at).prepare({ ...input, attempt: 2 }));
    expect(next).toEqual({ name: attemptName(run, 'sft', 2), directory: at.folder.replace(/a1$/, 'a2'), attempt: 2 });
    expect(await readdir(next.directory)).toEqual(['attempt.json', 'key.json']);
  });

  it('is closed to the world: others than its owner and the store’s group see nothing of it', async () => {
    await rm(at.folder, { recursive: true });
    await lived(() => worker(at).prepare());
    expect(((await stat(at.folder)).mode & 0o777).toString(8)).toBe('750');
    expect(((await stat(join(at.folder, 'attempt.json'))).mode & 0o777).toString(8)).toBe('640');
  });
});

/** Files of the published artifact; fails if it does not verify. */
async function artifactFiles({ store }: Cluster): Promise<string[]> {
  const { artifact, path } = await lived(() => store.find('sft', order.ingredients));
  expect(artifact).toMatchObject({
    stage: 'sft',
    counts: { steps: 10, attempts: 1 },
    cost: { gpu_hours: 1, seconds: 60 },
  });
  return (await readdir(path, { recursive: true })).toSorted();
}

const published = ['manifest.json', 'metrics.jsonl', 'model', 'model/config.json', 'result.json'];

describe('a completed attempt', () => {
  it('is published with its model, its metrics and its result', async () => {
    await leave(at.folder);
    const artifact = await lived(() => worker(at).publish());
    expect(artifact).toMatchObject({ stage: 'sft', reused: false, counts: { steps: 10, rows: 0, attempts: 1 } });
    expect(await artifactFiles(at)).toEqual(published);
  });

  it('is published once: a second try finds what stands', async () => {
    await leave(at.folder);
    const first = await lived(() => worker(at).publish());
    const again = await effectsOf(() => worker(at).publish());
    expect(again).toEqual([]);
    expect(await lived(() => worker(at).publish())).toEqual(first);
  });

  it('is published whole by the next worker, whenever the first one is killed', async () => {
    await leave(at.folder);
    const effects = await effectsOf(() => worker(at).publish());
    for (let moment = 0; moment < effects.length; moment += 1) {
      at = await cluster();
      await leave(at.folder);
      await killedAt(moment, () => worker(at).publish());
      await lived(() => worker(at).publish());
      expect([effects[moment], await artifactFiles(at)]).toEqual([effects[moment], published]);
    }
    const first = (effect: RegExp) => effects.findIndex((one) => effect.test(one));
    // Output, then manifest, then the one rename that makes it an artifact.
    expect(first(/^rename output model$/)).toBeGreaterThanOrEqual(0);
    expect(first(/^rename .* manifest.json$/)).toBeGreaterThan(first(/^rename output model$/));
    expect(first(/^rename publish /)).toBeGreaterThan(first(/^rename .* manifest.json$/));
  });

  it('is no artifact before its last rename, whenever the worker is killed', async () => {
    await leave(at.folder);
    const effects = await effectsOf(() => worker(at).publish());
    const last = effects.findIndex((effect) => effect.startsWith('rename publish '));
    for (let moment = 0; moment <= last; moment += 1) {
      at = await cluster();
      await leave(at.folder);
      await killedAt(moment, () => worker(at).publish());
      const { artifact } = await lived(() => at.store.find('sft', order.ingredients));
      expect([effects[moment], artifact]).toEqual([effects[moment], undefined]);
    }
  });

  it('of two runs that need the same artifact is published by one of them; both have it', async () => {
    const other = paths.attempt(at.store.root, 'other-20261124-000000', 'sft', 1);
    await mkdir(other, { recursive: true });
    await leave(at.folder);
    await leave(other);
    const otherOrder = { ...order, run: 'other-20261124-000000' };
    const attempts = [attemptName(otherOrder.run, 'sft', 1)];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
    const activities = createAttemptActivities({ store: at.store, job: {}, models: {} } as never);
    const publish = () =>
      inActivity(activityEnvironment().env, () =>
        activities.publishJob({ order: otherOrder, attempt: 1, attempts, gpuHours: 1, seconds: 60 }),
      );
    const [first, second] = await lived(() => Promise.all([worker(at).publish(), publish()]));
    expect(first).toEqual(second);
    expect(await artifactFiles(at)).toEqual(published);
  });

  it('with a pipe deep in its output is not published: no retry makes a file of it', async () => {
    await leave(at.folder);
    await mkdir(join(at.folder, 'output/deep/er'), { recursive: true });
    execFileSync('mkfifo', [join(at.folder, 'output/deep/er/pipe')]);
    const error = await lived(() => rejection(worker(at).publish()));
    expect(error).toMatchObject({
      type: 'PostconditionFailed',
      nonRetryable: true,
      message: expect.stringContaining('"model/deep/er/pipe" is a named pipe'),
    });
    expect(await exists(paths.artifact(at.store.root, 'sft', order.key))).toBe(false);
  });

  it.each<[string, (path: string) => unknown, string]>([
    ['a pipe', (path) => execFileSync('mkfifo', [path]), 'a named pipe'],
    ['a link', (path) => symlink('/etc/passwd', path), 'ELOOP'],
    ['two mebibytes', (path) => writeFile(path, ' '.repeat(2 * 1024 * 1024)), 'at most 1048576 bytes'],
  ])('whose result is %s is refused at once', async (_what, make, said) => {
    await leave(at.folder, { result: undefined });
    await make(join(at.folder, 'result.json'));
    const error = await lived(() => rejection(worker(at).publish()));
    expect(error).toMatchObject({ type: 'Refused', nonRetryable: true, message: expect.stringContaining(said) });
  });

  it('without its output is not published: the failure says so, and is tried again', async () => {
    await leave(at.folder, { hasOutput: false });
    const error = await lived(() => rejection(worker(at).publish()));
    expect(error).toMatchObject({ type: 'SystemError', nonRetryable: false, message: expect.stringMatching(/model/) });
    expect(await exists(paths.artifact(at.store.root, 'sft', order.key))).toBe(false);
  });

  it('has in its artifact the metrics of all its attempts, but none of a line that was cut', async () => {
    await leave(at.folder, { metrics: row(1) + row(2) + row(3).slice(0, 9) });
    await lived(() => worker(at).publish());
    const { path } = await lived(() => at.store.find('sft', order.ingredients));
    const rows = (await readFile(join(path, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(rows.map((one) => JSON.parse(one))).toMatchObject([{ step: 1 }, { step: 2 }]);
  });
});

describe('the trainer’s code', () => {
  it('is copied whole or not at all, whenever the worker is killed, and the next one copies it', async () => {
    const source = await temporaryFolder();
    await writeFile(join(source, 'a.py'), 'pass\n');
    // sha256 of "pass\n".
    const sha256 = '9f56e761d79bfdb34304a012586cb04d16b435ef6130091a97702e559260a2f2';
    const files = [
      { name: 'critic_trainer/a.py', path: join(source, 'a.py'), bytes: 5, sha256, stamp: '', changedMs: 0 },
    ];
    const copy = async (to: string) => copyFiles(files, to, () => exists(to));
    const effects = await effectsOf(async () => copy(join(await temporaryFolder(), 'code/abc')));
    for (let moment = 0; moment < effects.length; moment += 1) {
      const to = join(await temporaryFolder(), 'code/abc');
      await killedAt(moment, () => copy(to));
      const whole = ['SHA256SUMS', 'critic_trainer', 'critic_trainer/a.py'];
      const standing = async () => (await readdir(to, { recursive: true })).toSorted();
      const left = (await exists(to)) ? await standing() : whole;
      await lived(() => copy(to));
      expect([effects[moment], left, await standing()]).toEqual([effects[moment], whole, whole]);
    }
  });
});
