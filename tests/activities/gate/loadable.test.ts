/** The folder of a champion that others load: the model's files and a card whose numbers are the evaluation's. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { readEvaluation } from '../../../activities/evaluation/evaluation-file.ts';
import { loadablePath, makeLoadable } from '../../../activities/gate/loadable.ts';
import { bench, benchOfEachTest, store } from './gate-fixtures.ts';

/** Folders that were synced, and were there under this name then. */
const { synced } = vi.hoisted(() => ({ synced: [] as string[] }));
vi.mock(import('../../../activities/store/durable-file.ts'), async (original) => {
  const real = await original();
  const syncFolder = async (path: string) => {
    await real.syncFolder(path);
    synced.push(path);
  };
  return { ...real, syncFolder };
});

benchOfEachTest();

function folder(version: number): string {
  return loadablePath(bench.folder, version);
}

/** Folders of champions, and what a killed process would leave. */
async function folders(): Promise<string[]> {
  return (await readdir(bench.folder)).filter((name) => !name.endsWith('.json')).toSorted();
}

describe('a promotion', () => {
  it('leaves a folder of links to the model’s files, with a card instead of the model’s own', async () => {
    const request = await bench.candidate('run-1', 1);
    await bench.gate(request);
    expect((await readdir(folder(1))).toSorted()).toEqual(['README.md', 'config.json']);
    const [linked, original] = await Promise.all(
      [folder(1), join(request.candidate.path, 'model')].map((at) => stat(join(at, 'config.json'))),
    );
    expect(linked?.ino).toBe(original?.ino);
    expect(await readFile(join(request.candidate.path, 'model', 'README.md'), 'utf8')).toBe('noise 1');

    const card = await readFile(join(folder(1), 'README.md'), 'utf8');
    const { models, pairs } = await readEvaluation(request.evaluation.path);
    const front = parse(card.split('---\n')[1] ?? '');
    const main = models.grpo?.main_score;
    expect(front['model-index'][0].results[0].metrics).toContainEqual(
      expect.objectContaining({ type: 'main_score', value: main?.value }),
    );
    const interval = `${main?.interval?.[0].toFixed(3)} to ${main?.interval?.[1].toFixed(3)}`;
    expect(card).toContain(`| ${main?.value?.toFixed(3)} | ${interval} |`);
    expect(card).toContain(`the ${pairs} pairs of the test split`);
    expect(card).toContain('Edit: {instruction}');
    expect(card).toContain('- no champion before');
  });

  it('syncs every folder that it makes before the rename, so that a power failure leaves none of them empty', async () => {
    const request = await bench.candidate('run-1', 1);
    await mkdir(join(request.candidate.path, 'model', 'a', 'b'), { recursive: true });
    await writeFile(join(request.candidate.path, 'model', 'a', 'b', 'c.txt'), 'c');
    synced.length = 0;
    await bench.gate(request);
    const made = synced.filter((path) => path.includes('.tmp')).map((path) => path.replace(/^.*\.tmp/, ''));
    expect(new Set(made)).toEqual(new Set(['/a/b', '/a', '']));
    expect(await readFile(join(folder(1), 'a', 'b', 'c.txt'), 'utf8')).toBe('c');
  });

  it('that was killed before the folder was whole makes it when it is tried again', async () => {
    const request = await bench.candidate('run-1', 1);
    await bench.gate(request);
    await rm(folder(1), { recursive: true });
    await mkdir(`${folder(1)}.0b6ff4a4-0000-4000-8000-000000000000.tmp`);
    expect(await bench.gate(request)).toMatchObject({ passed: true });
    expect(await readdir(folder(1))).toContain('README.md');
    expect(await bench.runs()).toEqual(['run-1']);
  });

  it('by two at once leaves one folder and nothing else', async () => {
    const request = await bench.candidate('run-1', 1);
    await bench.gate(request);
    await rm(folder(1), { recursive: true });
    const [champion] = await bench.champions();
    if (champion === undefined) throw new Error('no champion');
    const make = () => makeLoadable(store, bench.folder, bench.name, champion, request.plan);
    expect(await Promise.all([make(), make(), make(), make()])).toEqual(Array.from({ length: 4 }, () => folder(1)));
    expect(await folders()).toEqual(['000001']);
  });

  it('keeps the folder of a reference that is older than the last two', async () => {
    const request = await bench.candidate('run-1', 1);
    await bench.gate(request);
    const [first] = await bench.champions();
    if (first === undefined) throw new Error('no champion');
    for (const version of [2, 3]) await mkdir(folder(version));
    const fourth = { ...first, version: 4, reference: { ...first.reference, version: 1 } };
    await makeLoadable(store, bench.folder, bench.name, fourth, request.plan);
    expect(await folders()).toEqual(['000001', '000003', '000004']);
  });

  it('keeps the folders of the last two', async () => {
    await bench.gate(await bench.candidate('run-1', 3));
    // Each better than all before, so each is the reference.
    for (const [index, noise] of [1.5, 0.6, 0.2].entries()) {
      await bench.gate(await bench.candidate(`run-${index + 2}`, noise));
    }
    expect(await bench.runs()).toEqual(['run-1', 'run-2', 'run-3', 'run-4']);
    expect(await folders()).toEqual(['000003', '000004']);
  });
});
