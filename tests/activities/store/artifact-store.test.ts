import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ArtifactStore, artifactKey } from '../../../activities/store/artifact-store.ts';

const ingredients = { dataset: 'abc', params: { b: 2, a: 1 } };
let store: ArtifactStore;

beforeEach(async () => {
  store = new ArtifactStore(await mkdtemp(join(tmpdir(), 'store-')));
});

async function publish(content: string) {
  const key = artifactKey('mix', ingredients);
  const from = join(await store.partial('mix', key), `try-${content}`);
  await mkdir(join(from, 'deep'), { recursive: true });
  await writeFile(join(from, 'deep', 'train.json'), content);
  return store.publish({ stage: 'mix', key, ingredients, from, counts: { rows: 1 }, cost: {}, run: 'r', attempts: [] });
}

describe('the artifact store', () => {
  it('finds nothing before and the artifact, marked as reused, after publishing', async () => {
    expect((await store.find('mix', ingredients)).artifact).toBeUndefined();
    const made = await publish('one');
    expect(made.reused).toBe(false);
    expect((await store.find('mix', ingredients)).artifact).toEqual({ ...made, reused: true });
  });

  it('gives one key to equal ingredients in any order of keys, another to other values or another stage', () => {
    expect(artifactKey('mix', { params: { a: 1, b: 2 }, dataset: 'abc' })).toBe(artifactKey('mix', ingredients));
    expect(artifactKey('mix', { ...ingredients, dataset: 'abd' })).not.toBe(artifactKey('mix', ingredients));
    expect(artifactKey('sft', ingredients)).not.toBe(artifactKey('mix', ingredients));
  });

  it('keeps the first of two publishers of one key and removes what the second brought', async () => {
    const first = await publish('one');
    const second = await publish('two');
    expect(second).toEqual(first);
    expect(await readdir(await store.partial('mix', first.key))).toEqual([]);
  });

  it.each([
    ['a file that was changed', (path: string) => writeFile(join(path, 'deep', 'train.json'), 'eno')],
    ['a file that grew', (path: string) => writeFile(join(path, 'deep', 'train.json'), 'one more')],
    ['a manifest cut in half', (path: string) => writeFile(join(path, 'manifest.json'), '{"schema": 1, "sta')],
  ])('sets an artifact aside that holds %s', async (_what, damage) => {
    const made = await publish('one');
    await damage(made.path);
    expect((await store.find('mix', ingredients)).artifact).toBeUndefined();
    expect(await readdir(join(store.root, 'artifacts', 'mix'))).toEqual([expect.stringContaining('.corrupt-')]);
    expect((await publish('two')).reused).toBe(false);
  });

  it('leaves out what a publisher left that was killed while it wrote a file', async () => {
    const key = artifactKey('mix', ingredients);
    const left = join(await store.partial('mix', key), 'try-one');
    await mkdir(left);
    await writeFile(join(left, 'manifest.json.0b5f0e4c-8a5f-4a52-9c63-2f1d8a7c1e11.tmp'), '{"schema"');
    const { path } = await publish('one');
    expect((await readdir(path)).toSorted()).toEqual(['deep', 'manifest.json']);
  });

  it('refuses a link in what a job wrote', async () => {
    const key = artifactKey('mix', ingredients);
    const from = join(await store.partial('mix', key), 'try');
    await mkdir(from);
    await symlink('/etc/passwd', join(from, 'model.safetensors'));
    const publication = { stage: 'mix', key, ingredients, from, counts: {}, cost: {}, run: 'r', attempts: [] } as const;
    await expect(store.publish({ ...publication, attempts: [] })).rejects.toThrow('neither a file nor a folder');
  });
});
