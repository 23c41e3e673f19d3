/** What scorings have left in `scores/` and `evaluations/`: when it goes, and when it stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../activities/keeping/gc.ts';
import { pin, unpin } from '../../../activities/store/pins.ts';
import { inActivity, temporaryFolder } from '../fixtures.ts';
import { age, everything, isThere, World } from './world.ts';

const old = 'score-demo-20260101-000000';
let world: World;
let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
  world = new World(root);
});

const names = (folder: string) => readdir(join(root, folder));

describe('what a scoring has left', () => {
  it('stays for ever where nobody gives an age: it is what people asked for', async () => {
    const folder = await world.scoring(old, 4000);
    const { scoringDays: _, ...asUsual } = everything;
    await inActivity(world.environment(), () => collectGarbage(world.store, asUsual));
    expect(await isThere(folder)).toBe(true);
  });

  it('goes once it is old, and is listed with its bytes before', async () => {
    await world.scoring(old, 61);
    await world.scoring('evaluate-demo-20260101-000000', 61);
    const listed = await world.gc({ apply: false, freeBytes: null });
    expect(listed.items.map(({ kind, path }) => `${kind} ${path}`).toSorted()).toEqual([
      'scoring evaluations/evaluate-demo-20260101-000000',
      `scoring scores/${old}`,
    ]);
    expect(listed.total.scoring.bytes).toBeGreaterThan(600);
    expect(await names('scores')).toEqual([old]);
    expect((await world.gc({ freeBytes: null })).total.scoring.items).toBe(2);
    expect([await names('scores'), await names('evaluations')]).toEqual([[], []]);
  });

  it('stays while it is young; how long may be said, but a day at least', async () => {
    const younger = await world.scoring(old, 59);
    const today = await world.scoring('score-demo-20261201-000000', 0.5);
    await world.gc();
    expect([await isThere(younger), await isThere(today)]).toEqual([true, true]);
    await world.gc({ scoringDays: 0 });
    expect([await isThere(younger), await isThere(today)]).toEqual([false, true]);
  });

  it.each([
    ['goes on', { status: 'RUNNING' }, true],
    ['is paused in Temporal', { status: 'PAUSED' }, true],
    ['failed yesterday, and may be resumed', { status: 'FAILED', ended: 1 }, true],
    ['failed long ago', { status: 'FAILED', ended: 61 }, false],
    ['has its scores', { status: 'COMPLETED', ended: 61 }, false],
  ])('stays or goes by its workflow: one that %s', async (_how, said, stays) => {
    await world.run(old, 90, 'RUNNING');
    world.runs[old] = { ...said, type: 'scorePairs' };
    const folder = await world.scoring(old, 61);
    await world.gc();
    expect(await isThere(folder)).toBe(stays);
  });

  it('stays if its workflow goes on and has no plan yet', async () => {
    world.runs[old] = { status: 'RUNNING', type: 'scorePairs' };
    const folder = await world.scoring(old, 61);
    const { needed } = await world.gc();
    expect(needed).toMatchObject({ run: null });
    expect(await isThere(folder)).toBe(true);
    world.runs[old] = { status: 'COMPLETED', type: 'scorePairs', ended: 61 };
    await world.gc();
    expect(await isThere(folder)).toBe(false);
  });

  it('stays with the checkpoints that one goes on from which has no plan yet', async () => {
    await world.run(old, 90, 'CANCELLED');
    const folder = await world.attempt(old, 'predict-pairs', 1, [10]);
    world.runs['score-demo-2'] = { status: 'RUNNING', type: 'scorePairs' };
    // What `critic score --resume` starts it with is no plan.
    world.inputs['score-demo-2'] = { schema: 1, id: 'score-demo-2', purpose: 'score', resumes: old };
    await world.gc();
    expect(await isThere(join(folder, 'checkpoints/checkpoint-10'))).toBe(true);
  });

  it('stays as long as its pairs or answers are pinned, also if that was said in the last moment', async () => {
    const key = 'a'.repeat(32);
    const folder = await world.scoring(old, 400, { pairs: key });
    const one = { stage: 'prompts-pairs' as const, key, by: 'ada', reason: 'for the paper', at: 'then' };
    const answers = await world.scoring('score-demo-20250101-000000', 400, {
      pairs: 'b'.repeat(32),
      predictions: 'c'.repeat(32),
    });
    const other = { ...one, stage: 'predict-pairs' as const, key: 'c'.repeat(32) };
    await pin(root, one);
    await pin(root, other);
    expect((await world.gc()).kept).toEqual([]);
    expect([await isThere(folder), await isThere(answers)]).toEqual([true, true]);
    await unpin(root, other.key);
    await world.gc();
    expect([await isThere(folder), await isThere(answers)]).toEqual([true, false]);
    await unpin(root, key);
    expect((await world.gc({}, () => pin(root, one))).kept).toEqual([`scores/${old}`]);
    expect((await readdir(folder)).toSorted()).toEqual(['made-from.json', 'report.html']);
    await unpin(root, key);
    await world.gc();
    expect(await names('scores')).toEqual([]);
  });

  it('stays if nobody can read what it was made from, and goes if that was never said', async () => {
    const unread = await world.scoring(old, 400);
    await writeFile(join(unread, 'made-from.json'), '{');
    const odd = await world.scoring('score-demo-20240101-000000', 400);
    await rename(join(odd, 'made-from.json'), join(root, 'odd'));
    await mkdir(join(odd, 'made-from.json'));
    const early = await world.scoring('score-demo-20250101-000000', 400);
    await rename(join(early, 'made-from.json'), join(root, 'away'));
    for (const folder of [unread, odd, early]) await age(folder, 400);
    await world.gc();
    expect((await names('scores')).toSorted()).toEqual(['score-demo-20240101-000000', old]);
  });

  it('is all that goes: no link, no file, nothing beside it', async () => {
    await world.scoring(old, 61);
    await mkdir(join(root, 'elsewhere'));
    await symlink(join(root, 'elsewhere'), join(root, 'scores/link'));
    await writeFile(join(root, 'scores/notes.txt'), '');
    await mkdir(join(root, 'scores/-mine'));
    for (const name of ['elsewhere', 'scores/notes.txt', 'scores/-mine']) await age(join(root, name), 400);
    await world.gc();
    expect((await names('scores')).toSorted()).toEqual(['-mine', 'link', 'notes.txt']);
    expect(await isThere(join(root, 'elsewhere'))).toBe(true);
  });
});

describe('what a crash has left of a scoring', () => {
  const tmp = 'report.html.5a7f9c9e-0000-4000-8000-000000000000.tmp';

  it('goes alone while the scoring is young, and with it when that is old', async () => {
    const [young, gone] = [await world.scoring('score-demo-1', 5), await world.scoring(old, 61)];
    for (const folder of [young, gone]) {
      await writeFile(join(folder, tmp), '');
      await age(join(folder, tmp), 5);
    }
    // Beside them, too.
    await writeFile(join(root, 'scores/x.tmp'), '');
    await age(join(root, 'scores/x.tmp'), 5);
    await age(young, 5);
    await age(gone, 61);
    const report = await world.gc();
    expect(report).toMatchObject({ kept: [], total: { leftover: { items: 2 }, scoring: { items: 1 } } });
    expect(await names('scores')).toEqual(['score-demo-1']);
    expect(await readdir(young)).not.toContain(tmp);
  });
});

describe('a removal of what a scoring has left', () => {
  /** Ten minutes later, for the trash. */
  const tenMinutesLater = async () => {
    for (const name of await names('scores')) {
      const [before = '', stamp] = name.split('.trash-');
      await rename(join(root, 'scores', name), join(root, `scores/${before}.trash-${Number(stamp) - 700_000}`));
    }
  };
  const killed = async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('gc-child.ts', import.meta.url)), root]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await names('scores')).toEqual([expect.stringMatching(`^${old}.trash-`)]);
  };

  it('that was killed is finished by the next gc after ten minutes, no earlier', { timeout: 60_000 }, async () => {
    await world.scoring(old, 61);
    await killed();
    expect(await world.gc()).toMatchObject({ items: [], unsettled: 1 });
    await tenMinutesLater();
    await mkdir(join(root, `scores/${old}.going-1`));
    await world.gc();
    expect(await names('scores')).toEqual([]);
  });

  it('that was killed is undone if the scoring goes on by then', { timeout: 60_000 }, async () => {
    await world.scoring(old, 61);
    await killed();
    await tenMinutesLater();
    world.runs[old] = { status: 'RUNNING', type: 'scorePairs' };
    await world.gc();
    expect(await names('scores')).toEqual([old]);
  });

  it('by two at once is done once, and takes nothing that is written anew meanwhile', async () => {
    await world.scoring(old, 61);
    const both = await Promise.all([world.gc(), world.gc()]);
    expect(both.flatMap(({ faults }) => faults)).toEqual([]);
    expect(await names('scores')).toEqual([]);
    const folder = await world.scoring(old, 61);
    await world.gc({}, async () => {
      await world.gc();
      await world.scoring(old, 0);
    });
    expect(await names('scores')).toEqual([old]);
    expect(await isThere(join(folder, 'report.html'))).toBe(true);
  });
});
