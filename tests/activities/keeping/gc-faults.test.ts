/** A store that refuses some of what a gc does. */
import type * as fs from 'node:fs/promises';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../fixtures.ts';
import { age, World } from './world.ts';

const refusing = vi.hoisted(() => ({ part: '', code: '' }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const refuse = (path: string) => {
    if (refusing.part === '' || !path.includes(refusing.part)) return;
    throw Object.assign(new Error(`${refusing.code}: not here, "${path}"`), { code: refusing.code, syscall: 'x' });
  };
  return {
    ...real,
    rename: async (from: string, to: string) => {
      refuse(from);
      return real.rename(from, to);
    },
    rm: async (path: string, options: object) => {
      refuse(path);
      return real.rm(path, options);
    },
  };
});

let root: string;
let world: World;
beforeEach(async () => {
  root = await temporaryFolder();
  world = new World(root);
  refusing.part = '';
});

describe('a store that refuses', () => {
  it.each(['EACCES', 'EROFS', 'EIO'])('to move something (%s) is told about, and the rest goes', async (code) => {
    const key = await world.artifact('mix', { n: 1 }, 30);
    await world.artifact('sft', { n: 1 }, 30);
    Object.assign(refusing, { part: 'artifacts/mix', code });
    const report = await world.gc();
    expect(report.faults).toEqual([expect.stringContaining(`${code}: not here`)]);
    expect(report.total.artifact.items).toBe(1);
    expect(report.kept).toEqual([`artifacts/mix/${key}`]);
    expect((await world.store.find('mix', { n: 1 })).artifact?.key).toBe(key);
    expect(await world.has('sft', { n: 1 })).toBe(false);
  });

  it('to delete something is told about, and the next gc deletes it', async () => {
    await world.artifact('mix', { n: 1 }, 30);
    Object.assign(refusing, { part: '.going-', code: 'EIO' });
    expect((await world.gc()).faults).toHaveLength(1);
    expect(await readdir(join(root, 'artifacts/mix'))).toHaveLength(1);
    refusing.part = '';
    await world.gc();
    expect(await readdir(join(root, 'artifacts/mix'))).toEqual([]);
  });
});

describe('a file that a crash has left', () => {
  const tmp = 'plan.json.5a7f9c9e-0000-4000-8000-000000000000.tmp';

  it('goes as a folder does, with what an earlier gc that fell over it has in the trash', async () => {
    await mkdir(join(root, 'runs/demo-1'), { recursive: true });
    const stuck = `${tmp}.trash-${Date.now() - 700_000}`;
    for (const name of [tmp, stuck]) await writeFile(join(root, 'runs/demo-1', name), '');
    await age(join(root, 'runs/demo-1', tmp), 2);
    await world.artifact('mix', { n: 1 }, 30);
    const report = await world.gc();
    expect(report).toMatchObject({ unsettled: 0, total: { leftover: { items: 1 }, artifact: { items: 1 } } });
    expect(await readdir(join(root, 'runs/demo-1'))).toEqual([]);
    expect(await readdir(join(root, 'artifacts/mix'))).toEqual([]);
  });
});
