/** Base models on real file systems: links, torn copies, files that change. */
import { execFileSync } from 'node:child_process';
import { link, mkdir, readdir, readFile, rename, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  importBaseModel,
  type ModelFolders,
  readBaseModel,
  verifyBaseModel,
} from '../../../activities/store/base-model.ts';
import { copyFiles } from '../../../activities/store/imported-folder.ts';
import { hashModelFiles, listModelFiles } from '../../../activities/store/model-files.ts';
import { rejection, temporaryFolder } from '../fixtures.ts';
import { modelFiles, safetensors, writeModel, writeSnapshot } from './model-fixtures.ts';

const nothing: ModelFolders = { roots: [], caches: [] };
let root: string;

beforeEach(async () => {
  root = await temporaryFolder();
});

afterEach(() => {
  vi.useRealTimers();
});

const stampsSchema = z.object({
  schema: z.literal(1),
  files: z.record(z.string(), z.object({ stamp: z.string(), sha256: z.string() })),
});
const importModel = (source: string, folders = nothing) => importBaseModel(source, root, folders);

describe('a model in the cache of a hub', () => {
  it('is copied as files where the operator names the cache, under the same key as the plain folder', async () => {
    const { cache, snapshot } = await writeSnapshot();
    const model = await importModel(snapshot, { roots: [], caches: [cache] });
    expect(model.path).toBe(join(root, 'models', model.key));
    expect((await readFile(join(model.path, 'config.json'))).toString()).toBe(modelFiles['config.json']);
    expect(model.key).toBe((await readBaseModel(await writeModel(), root, nothing)).key);
  });

  it('is used where it lies if jobs see the cache', async () => {
    const { cache, snapshot } = await writeSnapshot();
    const model = await importModel(snapshot, { roots: [cache], caches: [] });
    expect(model.path).toBe(snapshot);
    expect(await readdir(root)).toEqual([]);
  });

  it('is refused by file and target where the operator names none', async () => {
    const { snapshot } = await writeSnapshot();
    expect(await rejection(importModel(snapshot))).toMatchObject({
      type: 'DataInvalid',
      nonRetryable: true,
      message: expect.stringMatching(
        /recipe\.base_model: config\.json: expected .*CRITIC_MODEL_ROOTS.*blob-of-config\.json/,
      ),
    });
  });

  it('may not lead out of it', async () => {
    const { cache, snapshot } = await writeSnapshot();
    const secret = join(await temporaryFolder(), 'secret');
    await writeFile(secret, 'x');
    await symlink(secret, join(snapshot, 'notes.txt'));
    const error = await rejection(importModel(snapshot, { roots: [], caches: [cache] }));
    expect(error).toMatchObject({ type: 'DataInvalid', message: expect.stringContaining(`notes.txt`) });
    expect(error).toMatchObject({ message: expect.stringContaining(`a link to ${secret}`) });
  });
});

describe('a folder that is no whole model', () => {
  const short = safetensors(Buffer.from('weights of a model')).subarray(0, -3);
  const vast = Buffer.from('ffffffffffffffff', 'hex');
  it.each([
    ['has weights of 0 bytes', { 'model.safetensors': '' }, /model\.safetensors: expected .* got 0 bytes/],
    [
      'has weights cut short',
      { 'model.safetensors': short },
      /model\.safetensors: expected \d+ bytes, as its header says/,
    ],
    ['has a header without end', { 'model.safetensors': vast }, /model\.safetensors: expected safetensors that begin/],
    ['has no weights', { 'model.safetensors': undefined }, /model\.safetensors: expected .* got nothing/],
    ['lacks its settings', { 'config.json': undefined }, /config\.json: expected .* got nothing/],
    ['has settings of something else', { 'config.json': '[]' }, /config\.json: expected .*model_type, got "\[\]"/],
    ['lacks its tokenizer', { 'tokenizer.json': undefined }, /tokenizer\.json: expected/],
    [
      'lacks a shard that its index names',
      { 'model.safetensors.index.json': '{"weight_map":{"w":"model-00002-of-00002.safetensors"}}' },
      /model-00002-of-00002\.safetensors: expected weights/,
    ],
  ])('is refused by the file where it %s', async (_what, changes, message) => {
    const error = await rejection(importModel(await writeModel(changes)));
    expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true, message: expect.stringMatching(message) });
  });

  it('is refused where it is not there, and where a named pipe stands for a file', async () => {
    expect(await rejection(importModel('/nowhere/model'))).toMatchObject({ type: 'DataInvalid' });
    const folder = await writeModel({ 'tokenizer.json': undefined });
    execFileSync('mkfifo', [join(folder, 'tokenizer.json')]);
    expect(await rejection(importModel(folder))).toMatchObject({ type: 'DataInvalid' });
  });
});

describe('a copy', () => {
  it('whose weights were emptied is made again, and the wrong one is set aside', async () => {
    const source = await writeModel();
    const first = await importModel(source);
    await truncate(join(first.path, 'model.safetensors'), 0);
    expect(await importModel(source)).toEqual(first);
    expect(await readFile(join(first.path, 'model.safetensors'))).toEqual(modelFiles['model.safetensors']);
    expect((await readdir(join(root, 'models'))).filter((name) => name.includes('corrupt'))).toHaveLength(1);
  });

  it('whose weights were changed in place, size and times kept, is noticed', async () => {
    const source = await writeModel();
    const { key, path } = await importModel(source);
    const weights = join(path, 'model.safetensors');
    const { atime, mtime } = await stat(weights);
    await writeFile(weights, safetensors(Buffer.from('WEIGHTS of a model')));
    await utimes(weights, atime, mtime);
    expect(await rejection(verifyBaseModel({ key, path }, root, nothing))).toMatchObject({ type: 'DataInvalid' });
    await importModel(source);
    await verifyBaseModel({ key, path }, root, nothing);
  });

  it('of a source that changes meanwhile leaves nothing behind', async () => {
    const files = await listModelFiles(await writeModel(), [], 'x');
    const hashed = await hashModelFiles(root, '/x', files);
    const last = hashed.at(-1);
    if (last === undefined) throw new Error('no files');
    await writeFile(last.path, 'something else');
    const copying = copyFiles(hashed, join(root, 'models', 'key'), async () => false);
    expect(await rejection(copying)).toMatchObject({ type: 'DataChanged', nonRetryable: false });
    expect(await readdir(join(root, 'models'))).toEqual([]);
  });

  it('is one, however many runs make it at once', async () => {
    const source = await writeModel();
    const all = await Promise.all([importModel(source), importModel(source), importModel(source)]);
    expect(new Set(all.map(({ path }) => path)).size).toBe(1);
    expect(await readdir(join(root, 'models'))).toEqual([all[0]?.key]);
  });
});

describe('a model that is used where it lies', () => {
  const inPlace = async () => {
    const source = await writeModel();
    const folders = { roots: [source], caches: [] };
    return { source, folders, model: await importModel(source, folders) };
  };

  it('gets another key once it is changed, and an attempt of the run before refuses it', async () => {
    const { source, folders, model } = await inPlace();
    await verifyBaseModel(model, root, folders);
    await writeFile(join(source, 'model.safetensors'), safetensors(Buffer.from('other weights here')));
    expect((await importModel(source, folders)).key).not.toBe(model.key);
    expect(await rejection(verifyBaseModel(model, root, folders))).toMatchObject({
      type: 'DataInvalid',
      message: expect.stringContaining(`expected the content ${model.key}`),
    });
  });

  it('is not read again while its files look the same, once they are old enough to be trusted', async () => {
    const { source, folders, model } = await inPlace();
    const stamps = join(root, 'models', 'stamps');
    expect(await readdir(root)).toEqual([]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    await importModel(source, folders);
    const [name] = await readdir(stamps);
    if (name === undefined) throw new Error('no stamps');
    const kept = stampsSchema.parse(JSON.parse(await readFile(join(stamps, name), 'utf8')));
    const weights = kept.files['model.safetensors'];
    if (weights === undefined) throw new Error('the weights have no stamp');
    // A wrong sum that is believed shows that the file was not read.
    kept.files['model.safetensors'] = { ...weights, sha256: 'f'.repeat(64) };
    await writeFile(join(stamps, name), JSON.stringify(kept));
    expect((await importModel(source, folders)).key).not.toBe(model.key);
    await writeFile(join(stamps, name), '{"schema":1,');
    expect((await importModel(source, folders)).key).toBe(model.key);
  });

  it('in the store, e.g. of an earlier night, is not copied either', async () => {
    const source = await writeModel();
    const inside = join(root, 'artifacts');
    await rename(source, inside);
    expect((await importModel(inside)).path).toBe(inside);
  });

  it('ignores what is hidden and its own list of sums', async () => {
    const { source, folders, model } = await inPlace();
    await mkdir(join(source, '.cache'));
    await link(join(source, 'config.json'), join(source, '.cache', 'lock'));
    await writeFile(join(source, 'SHA256SUMS'), 'x');
    expect((await importModel(source, folders)).key).toBe(model.key);
  });
});
