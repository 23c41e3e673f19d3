/** What is removed from a store, and what never is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { pin, unpin } from '../../../activities/store/pins.ts';
import { claimArtifact } from '../../../activities/store/makers.ts';
import { temporaryFolder } from '../fixtures.ts';
import { age, World } from './world.ts';

const mix = { n: 'mix' };
let world: World;
let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
  world = new World(root);
});

const listing = async () => (await readdir(root, { recursive: true })).toSorted();
const pathsOf = ({ items }: { items: { path: string }[] }) => items.map(({ path }) => path).toSorted();

describe('artifacts', () => {
  it('that nobody needs are only listed, with their bytes, until they are to go', async () => {
    const key = await world.artifact('mix', mix, 30, 1234);
    const before = await listing();
    const listed = await world.gc({ apply: false });
    expect(listed).toMatchObject({
      applied: false,
      items: [{ kind: 'artifact', path: `artifacts/mix/${key}`, bytes: 1234 }],
      total: { artifact: { items: 1, bytes: 1234 } },
    });
    expect(await listing()).toEqual(before);
    expect(pathsOf(await world.gc())).toEqual([`artifacts/mix/${key}`]);
    expect(await world.has('mix', mix)).toBe(false);
    expect(await readdir(join(root, 'artifacts/mix'))).toEqual([]);
  });

  it('stay without a goal of free space, and when the goal is reached', async () => {
    await world.artifact('mix', mix, 30);
    expect(pathsOf(await world.gc({ freeBytes: null }))).toEqual([]);
    expect(pathsOf(await world.gc({ freeBytes: 1 }))).toEqual([]);
    expect(await world.has('mix', mix)).toBe(true);
  });

  it('stay if they were used within a day, with all that they were made from', async () => {
    const key = await world.artifact('mix', mix, 30);
    await world.artifact('sft', { inputs: { mix: key } }, 0.5);
    await world.artifact('sft', { inputs: { other: key } }, 2);
    await world.gc();
    expect(await world.has('mix', mix)).toBe(true);
    expect(await world.has('sft', { inputs: { mix: key } })).toBe(true);
    expect(await world.has('sft', { inputs: { other: key } })).toBe(false);
  });

  it('are marked as used when a stage finds them', async () => {
    await world.artifact('mix', mix, 30);
    await world.store.find('mix', mix);
    await world.gc();
    expect(await world.has('mix', mix)).toBe(true);
  });

  it.each<[string, () => Promise<void>]>([
    ['goes on', () => world.run('demo-1', 20, 'RUNNING')],
    ['is paused in Temporal', () => world.run('demo-1', 20, 'PAUSED')],
    [
      'failed yesterday',
      async () => {
        await world.run('demo-1', 20, 'FAILED');
        world.runs['demo-1'] = { status: 'FAILED', ended: 1 };
      },
    ],
    [
      'is resumed by one that goes on',
      async () => {
        await world.run('demo-1', 20, 'FAILED');
        await world.run('demo-2', 2, 'RUNNING', { resumes: 'demo-1' });
      },
    ],
    [
      'is the newest of a night that stands',
      async () => {
        world.nights.add('critic-night-n');
        await world.run('demo-1', 20, 'COMPLETED', { night: { name: 'n', at: 'then' } });
      },
    ],
    [
      'belongs to an experiment that goes on',
      async () => {
        world.runs['experiment-e'] = { status: 'RUNNING' };
        await world.run('demo-1', 20, 'COMPLETED', { experiment: { id: 'experiment-e', arm: 'a', seed: 1 } });
      },
    ],
    [
      'cannot be read and goes on',
      async () => {
        await world.run('demo-1', 20, 'RUNNING');
        await writeFile(join(root, 'runs/demo-1/plan.json'), '{"schema":0}');
        await age(join(root, 'runs/demo-1/plan.json'), 20);
      },
    ],
  ])('stay if they were used since a run began that %s', async (_what, given) => {
    await world.artifact('mix', { n: 'used by it' }, 19);
    await world.artifact('mix', { n: 'older' }, 22);
    await given();
    const { needed } = await world.gc();
    expect(needed.run).not.toBeNull();
    expect(await world.has('mix', { n: 'used by it' })).toBe(true);
    expect(await world.has('mix', { n: 'older' })).toBe(false);
  });

  it.each<[string, () => Promise<void>]>([
    ['has a verdict', () => world.run('demo-1', 20, 'COMPLETED')],
    ['failed long ago', () => world.run('demo-1', 20, 'FAILED')],
    [
      'was of a night that is no more',
      () => world.run('demo-1', 20, 'COMPLETED', { night: { name: 'n', at: 'then' } }),
    ],
    [
      'was resumed to its verdict',
      async () => {
        await world.run('demo-1', 20, 'FAILED');
        world.runs['demo-1'] = { status: 'FAILED', ended: 3 };
        await world.run('demo-2', 3, 'COMPLETED', { resumes: 'demo-1' });
      },
    ],
  ])('go though a run used them that %s', async (_what, given) => {
    await world.artifact('mix', mix, 19);
    await given();
    await world.gc();
    expect(await world.has('mix', mix)).toBe(false);
  });

  it('stay at any age if a pin names them', async () => {
    const key = await world.artifact('mix', mix, 400);
    await pin(root, { stage: 'mix', key, by: 'ada', reason: 'for the paper', at: 'then' });
    await world.gc();
    expect(await world.has('mix', mix)).toBe(true);
    await unpin(root, key);
    await world.gc({}, () => pin(root, { stage: 'mix', key, by: 'ada', reason: 'in the last moment', at: 'then' }));
    expect(await world.has('mix', mix)).toBe(true);
  });

  it('stay at any age if they belong to the champion, its reference or the one before', async () => {
    const ingredients = [1, 2, 3].map((n) => ({ n }));
    const keys = await Promise.all(ingredients.map((one) => world.artifact('grpo', one, 400)));
    const place = (index: number) => ({ key: keys[index] ?? '', path: '/p' });
    await mkdir(join(root, 'champions/demo'), { recursive: true });
    for (const [index, version] of [1, 2, 3].entries()) {
      const own = { run: `r-${version}`, model: place(index), evaluation: place(index), main_score: 0.5 };
      const decision = { passed: true, outcome: 'promote', reasons: [], mainScore: 0.5, champion: null };
      const champion = {
        schema: 2,
        version,
        base: version === 1 ? null : version - 1,
        ...own,
        predictions: place(index),
        decided_at: 'then',
        decision,
        reference: { version, ...own },
      };
      await writeFile(join(root, `champions/demo/00000${version}.json`), JSON.stringify(champion));
    }
    await world.gc();
    expect(await Promise.all(ingredients.map((one) => world.has('grpo', one)))).toEqual([false, true, true]);
    // Half the truth removes nothing.
    await world.artifact('mix', mix, 400);
    await writeFile(join(root, 'champions/demo/000004.json'), '{"schema":2,');
    await expect(world.gc()).rejects.toMatchObject({ type: 'DataInvalid' });
    expect(await world.has('mix', mix)).toBe(true);
  });

  it('get their name back if a run finds them while they are moved', async () => {
    const key = await world.artifact('mix', mix, 30);
    await world.artifact('mix', { n: 'other' }, 30);
    const manifest = join(root, `artifacts/mix/${key}`);
    const report = await world.gc({}, async () => {
      // As a run with an old view does: it marks the file that it has open, wherever that is by now.
      const [moved = ''] = (await readdir(dirname(manifest))).filter((name) => name.startsWith(`${key}.trash-`));
      await age(join(dirname(manifest), moved, 'manifest.json'), 0);
      // One that looks now does not find it, and makes it anew.
      expect((await world.store.find('mix', { n: 'other' })).artifact).toBeUndefined();
    });
    expect(report.kept).toEqual([`artifacts/mix/${key}`]);
    expect((await world.store.find('mix', mix)).artifact?.key).toBe(key);
    expect(await readdir(join(root, 'artifacts/mix'))).toEqual([key]);
  });

  it('are not replaced by what is moved, if they were made anew meanwhile', async () => {
    const key = await world.artifact('mix', mix, 30);
    await world.gc({}, async () => {
      await world.artifact('mix', mix, 0, 77);
      const names = await readdir(join(root, 'artifacts/mix'));
      await age(join(root, 'artifacts/mix', names.find((name) => name !== key) ?? '', 'manifest.json'), 0);
    });
    expect(await readdir(join(root, 'artifacts/mix'))).toEqual([key]);
    expect((await world.store.peek('mix', key))?.files[0]?.bytes).toBe(77);
  });

  it('are settled by the next gc if one was killed when it had moved them', { timeout: 60_000 }, async () => {
    const key = await world.artifact('mix', mix, 30);
    const used = await world.artifact('mix', { n: 'used' }, 30);
    const child = spawn(process.execPath, [fileURLToPath(new URL('gc-child.ts', import.meta.url)), root]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await world.has('mix', mix)).toBe(false);
    // One that may be at work is left alone.
    expect(await world.gc()).toMatchObject({ items: [], unsettled: 2 });
    const folder = join(root, 'artifacts/mix');
    const names = await readdir(folder);
    expect(names).toHaveLength(2);
    // Ten minutes later; one was used in that moment.
    for (const name of names) {
      const [before = '', stamp] = name.split('.trash-');
      await rename(join(folder, name), join(folder, `${before}.trash-${Number(stamp) - 700_000}`));
      if (before === used) await age(join(folder, `${before}.trash-${Number(stamp) - 700_000}`, 'manifest.json'), 0);
    }
    await mkdir(join(folder, `${key}.going-1/model`), { recursive: true });
    await world.gc();
    expect(await readdir(folder)).toEqual([used]);
  });
});

describe('attempts', () => {
  it('of a run that nobody can resume keep logs and numbers', async () => {
    const folder = await world.attempt('demo-1', 'sft', 1, [2, 4]);
    await world.run('demo-1', 30, 'COMPLETED');
    const report = await world.gc({ freeBytes: null });
    expect(report.total.scratch).toEqual({ items: 2, bytes: 250 });
    expect((await readdir(folder)).toSorted()).toEqual(['attempt.json', 'job.log', 'outcome.json']);
  });

  it('of a run that goes on keep the last checkpoint, the best by the dev split, and those in use', async () => {
    const a1 = await world.attempt('demo-1', 'grpo', 1, [2, 4, 6, 8]);
    const rows = [2, 4, 6, 8].map((step) => `${JSON.stringify({ step, validation_reward: step === 4 ? 0.9 : 0.5 })}\n`);
    await writeFile(join(a1, 'metrics.jsonl'), rows.join(''));
    await world.attempt('demo-1', 'grpo', 2, [9, 10]);
    const a3 = await world.attempt('demo-1', 'grpo', 3, []);
    await writeFile(join(a3, 'attempt.json'), JSON.stringify({ resume_from: join(a1, 'checkpoints/checkpoint-6') }));
    await world.run('demo-1', 30, 'RUNNING');
    const report = await world.gc({ freeBytes: null });
    const at = (attempt: number, step: number) => `runs/demo-1/jobs/grpo/a${attempt}/checkpoints/checkpoint-${step}`;
    expect(pathsOf(report)).toEqual([at(1, 2), at(1, 8), at(2, 9)]);
    expect(await readdir(join(a1, 'checkpoints'))).toEqual(['checkpoint-4', 'checkpoint-6']);
    expect(await readdir(join(a3, 'output'))).toEqual(['model']);
  });

  it('whose job is at work are left alone', async () => {
    const folder = await world.attempt('demo-1', 'sft', 1, [2, 4]);
    await rename(join(folder, 'outcome.json'), join(folder, 'no-outcome'));
    await world.run('demo-1', 30, 'RUNNING');
    expect(pathsOf(await world.gc({ freeBytes: null }))).toEqual([]);
  });

  it('get all back if their run is resumed while they are moved', async () => {
    const folder = await world.attempt('demo-1', 'sft', 1, [2, 4]);
    await world.run('demo-1', 30, 'FAILED');
    const report = await world.gc({ freeBytes: null }, () => world.run('demo-2', 0, 'RUNNING', { resumes: 'demo-1' }));
    expect(report.kept).toHaveLength(2);
    expect(await readdir(join(folder, 'checkpoints'))).toEqual(['checkpoint-2', 'checkpoint-4']);
    expect(await readdir(join(folder, 'output'))).toEqual(['model']);
  });
});

describe('what crashes have left', () => {
  const id = '5a7f9c9e-0000-4000-8000-000000000000';
  const left = [
    'artifacts/sft/0123.corrupt-1700000000000',
    `models/abc.tmp-${id}`,
    `code/abc.tmp-${id}`,
    ...['plan.json', 'jobs/sft/a1/attempt.json'].map((one) => `runs/demo-1/${one}.${id}.tmp`),
    `partial/mix/0123/try-${id}`,
    `partial/synthesis/0123/holder.${id}`,
    `makers/.${id}`,
    'champions/demo/.x.tmp',
    ...['experiments/e', 'scores/s', 'evaluations/v'].map((one) => `${one}/report.html.${id}.tmp`),
  ];
  const stays = ['partial/synthesis/0123/answers.jsonl', 'makers/sft-0123', 'models/abc', 'runs/r/jobs/sft/a1/o/x.tmp'];

  it('goes once it is a day old, and nothing that looks like it', async () => {
    for (const path of [...left, ...stays]) {
      await mkdir(join(root, path), { recursive: true });
      await age(join(root, path), 2);
    }
    expect(pathsOf(await world.gc({ freeBytes: null }))).toEqual(left.toSorted());
    for (const path of stays) expect(await readdir(join(root, path))).toEqual([]);
    await mkdir(join(root, left[0] ?? ''));
    expect(pathsOf(await world.gc({ freeBytes: null }))).toEqual([]);
  });

  it('of a claim goes, and the claim stays', async () => {
    await claimArtifact(root, { stage: 'sft', key: 'k' }, 'demo-1', async () => true);
    await age(join(root, 'makers/sft-k'), 20);
    await world.gc();
    expect(await readdir(join(root, 'makers/sft-k'))).toEqual(['demo-1']);
  });
});
