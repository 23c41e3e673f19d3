/**
 * Malformed datasets, large ones made here: each is refused within a moment by an error that names the file or the row and
 * field, says what was expected and shows no more than a line of what was given. Nothing is published.
 */
import { appendFile, mkdir, open, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { ApplicationFailure } from '@temporalio/activity';
import { describe, expect, it } from 'vitest';
import { ArtifactStore } from '../../activities/store/artifact-store.ts';
import { createDatasetActivities } from '../../activities/dataset/dataset.ts';
import type { Pair } from '../../domain/manifest.ts';
import type { RunPlan } from '../../domain/plan.ts';
import {
  activityEnvironment,
  inActivity,
  makePairs,
  makePlan,
  png,
  rejection,
  temporaryFolder,
  writeDataset,
} from '../activities/fixtures.ts';
import { hubRow, writeHub } from '../activities/dataset/hub-fixtures.ts';
import { pipe, withChunk, without } from './harm.ts';

/** A loaded machine included; each takes some milliseconds by itself. */
const maxMs = 5000;

async function refusal(folder: string, change: (plan: RunPlan) => void = () => undefined): Promise<string> {
  const store = new ArtifactStore(await temporaryFolder());
  const plan = makePlan(folder);
  change(plan);
  const activities = createDatasetActivities({ store });
  const started = performance.now();
  const error = await rejection(inActivity(activityEnvironment().env, () => activities.checkDataset({ plan })));
  expect(performance.now() - started).toBeLessThan(maxMs);
  if (!(error instanceof ApplicationFailure)) throw new Error('expected a failure for the run', { cause: error });
  expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
  expect(error.message).not.toMatch(/\n\s+at |Cannot read|call stack|undefined \(/);
  for (const line of error.message.split('\n')) expect(line.length).toBeLessThan(1000);
  expect((await readdir(store.root)).filter((name) => name !== 'runs')).toEqual([]);
  return error.message;
}

const pairs = makePairs(2);
const first = JSON.stringify(pairs[0]);

describe('a row that is no pair is refused with its line and field', () => {
  const other = (change: Record<string, unknown>) => JSON.stringify({ ...pairs[0], ...change });
  const scored = (overall: unknown) => other({ mos: { overall } });
  const images = (path: string) => other({ edited_image: path });
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  it.each<[string, string | Buffer, string]>([
    ['a word', 'hello', 'pairs.jsonl line 1: expected a JSON object, got hello'],
    ['JSON cut off', first.slice(0, 40), 'line 1: expected a JSON object, got {"id"'],
    ['a megabyte that is no JSON', 'x'.repeat(1_000_000), 'line 1: expected a JSON object, got xxx'],
    ['a number', '42', 'line 1: expected object, got 42'],
    ['null', 'null', 'line 1: expected object, got null'],
    ['a list', '[1,2]', 'line 1: expected object, got [1,2]'],
    ['a hundred thousand brackets', deep, 'line 1, id: expected string, got nothing'],
    ['brackets as an id', `{"id":${deep}}`, 'line 1, id: expected string, got {"a":[[[…]]]}'],
    ['an id of fifty megabytes', other({ id: 'x'.repeat(50_000_000) }), 'line 1, id: must match pattern'],
    ['an id that leads out', other({ id: '../p' }), 'got "../p"'],
    ['an empty id', other({ id: '' }), 'line 1, id: '],
    ['a number as id', other({ id: 7 }), 'line 1, id: expected string, got 7'],
    ['another’s id', other({ id: 'p1' }), 'line 2, id: expected one of its own, got "p1"'],
    ['no source', other({ source_id: '' }), 'line 1, source_id: expected string to have >=1 characters'],
    [
      'an unknown split',
      other({ split: 'training' }),
      'line 1, split: expected one of "train"|"dev"|"test", got "training"',
    ],
    ['no instruction', other({ instruction: '' }), 'instruction: expected a text with something to see, got ""'],
    ['a blank instruction', other({ instruction: ' \t\n ' }), 'instruction: expected a text with something to see'],
    ['an invisible instruction', other({ instruction: '\u200b\u2060\ufeff' }), 'expected a text with something to see'],
    ['half a surrogate', other({ instruction: 'a \ud800 b' }), 'expected Unicode without half a pair of surrogates'],
    ['a long instruction', other({ instruction: 'x'.repeat(2001) }), 'expected string to have <=2000 characters'],
    ['a list as instruction', other({ instruction: ['a'] }), 'instruction: expected string, got ["a"]'],
    ['a score above the scale', scored(5.01), 'mos.overall: expected number to be <=5, got 5.01'],
    ['a score below the scale', scored(0), 'mos.overall: expected number to be >=1, got 0'],
    ['a score in words', scored('good'), 'mos.overall: expected number, got "good"'],
    ['a score as text', scored('3'), 'got "3"'],
    ['no score', scored(undefined), 'mos.overall: expected number, got nothing'],
    ['a score of 1e999', scored(0).replace('"overall":0', '"overall":1e999'), 'mos.overall: '],
    ['NaN as score', scored(0).replace('"overall":0', '"overall":NaN'), 'line 1: expected a JSON object'],
    ['mos as a number', other({ mos: 3 }), 'line 1, mos: expected object, got 3'],
    ['a wrong sub-score', other({ mos: { overall: 3, quality: 9 } }), 'mos.quality: expected number to be <=5, got 9'],
    ['no method', other({ method: '' }), 'line 1, method: expected string to have >=1 characters'],
    [
      'a path upwards',
      images('images/../../etc/passwd'),
      'expected a path below "images/" without "..", got "images/../',
    ],
    ['an absolute path', images('/etc/passwd'), 'expected a path below "images/" without ".."'],
    ['a path with NUL', images('images/a\0.png'), String.raw`got "images/a\u0000.png"`],
    ['a path with a backslash', images(String.raw`images\a.png`), 'expected a path below "images/"'],
    [
      'a path of five megabytes',
      images(`images/${'x'.repeat(5_000_000)}`),
      'edited_image: expected string to have <=4096 characters',
    ],
    ['a name too long', images(`images/${'x'.repeat(300)}.png`), 'a name too long for any file'],
    ['a folder as picture', images('images/src'), 'expected a regular file, got "images/src": a folder'],
    [
      'Latin-1',
      Buffer.from(`${other({ instruction: 'blåhaj' })}\n`, 'latin1'),
      'expected text in UTF-8, got bytes that are not UTF-8',
    ],
    ['UTF-16', Buffer.from(`\ufeff${first}\n`, 'utf16le'), 'expected text in UTF-8, got bytes that are not UTF-8'],
    ['zeros', Buffer.alloc(100_000), 'line 1: expected a JSON object'],
  ])('%s', async (_name, line, sentence) => {
    const folder = await writeDataset(pairs);
    const [, ...rest] = pairs.map((pair) => JSON.stringify(pair));
    await writeFile(join(folder, 'pairs.jsonl'), line);
    await appendFile(join(folder, 'pairs.jsonl'), `\n${rest.join('\n')}\n`);
    const message = await refusal(folder);
    expect(message).toContain('pairs.jsonl');
    expect(message).toContain(sentence);
  });
});

describe('a folder that holds no dataset is refused', () => {
  const file = (folder: string) => join(folder, 'pairs.jsonl');
  it.each<[string, (folder: string) => Promise<unknown>, string]>([
    ['nothing in it', (folder) => rm(file(folder)), 'expected a folder with pairs.jsonl, train.txt or *.parquet files'],
    ['an empty list', (folder) => writeFile(file(folder), ''), 'expected rows in split "train", got none'],
    [
      'a pipe as its list',
      async (folder) => pipe(await without(file(folder))),
      'expected a regular file, got a named pipe',
    ],
    ['/dev/zero as its list', async (folder) => symlink('/dev/zero', await without(file(folder))), 'got a device'],
    [
      'a folder as its list',
      async (folder) => mkdir(await without(file(folder))),
      'expected a folder with pairs.jsonl',
    ],
    [
      'a link to a folder as its list',
      async (folder) => symlink('images', await without(file(folder))),
      'got a folder',
    ],
    [
      'a list of a gigabyte',
      (folder) => truncate(file(folder), 2 ** 30),
      'at most 268435456 bytes, got 1073741824 bytes',
    ],
    [
      'no test rows',
      (folder) => rows(folder, (pair) => pair.split !== 'test'),
      'expected rows in split "test", got none',
    ],
    ['no train rows', (folder) => rows(folder, (pair) => pair.split !== 'train'), 'rows in split "train", got none'],
  ])('%s', async (_name, harm, sentence) => {
    const folder = await writeDataset(pairs);
    await harm(folder);
    expect(await refusal(folder)).toContain(sentence);
  });

  it('that is the whole machine, without walking through it', async () => {
    expect(await refusal('/')).toContain('got "/", which has none');
  });

  it('with too few rows for one step of GRPO, before the teacher is asked', async () => {
    const message = await refusal(await writeDataset(pairs), ({ recipe }) => {
      recipe.grpo.prompts_per_step = 3;
    });
    expect(message).toContain('recipe.grpo.prompts_per_step: expected at most 2, the rows of split "train", got 3');
  });
});

describe('a picture that is none is refused with its row', () => {
  const good = png(8, 8);
  const kilo = Buffer.alloc(2_000_000, 'a');
  const text = (type: string, head: string) =>
    withChunk(good, type, Buffer.concat([Buffer.from(head, 'latin1'), deflateSync(kilo)]));
  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['a pipe', async (path) => pipe(await without(path)), '": a named pipe'],
    ['a device', async (path) => symlink('/dev/zero', await without(path)), 'which leads to "/dev/zero"'],
    ['a link to itself', async (path) => symlink(path, await without(path)), 'a link that leads in a circle'],
    ['a folder', async (path) => mkdir(await without(path)), '": a folder'],
    ['nothing', (path) => writeFile(path, ''), 'an empty file'],
    ['text', (path) => writeFile(path, 'I am a picture'), 'no PNG, JPEG or WebP with a whole header'],
    ['a hundred megabytes', (path) => truncate(path, 100_000_000), 'expected a regular file of at most 67108864 bytes'],
    ['half a PNG', (path) => writeFile(path, png(64, 64).subarray(0, 60)), 'a PNG that is cut off or damaged'],
    [
      'a bomb as text',
      (path) => writeFile(path, text('zTXt', 'k\0\0')),
      'a PNG whose zTXt chunk inflates to more than',
    ],
    [
      'an international bomb',
      (path) => writeFile(path, text('iTXt', 'k\0\x01\0en\0\0')),
      'a PNG whose iTXt chunk inflates',
    ],
    [
      'a bomb as colour profile',
      (path) => writeFile(path, text('iCCP', 'k\0\0')),
      'a PNG whose iCCP chunk inflates to more',
    ],
  ])('%s', async (_name, harm, sentence) => {
    const folder = await writeDataset(pairs);
    await harm(join(folder, 'images/edited/p1.png'));
    const message = await refusal(folder);
    expect(message).toContain('pairs.jsonl line 2, edited_image: ');
    expect(message).toContain(sentence);
  });

  it('and short texts in a PNG are no fault', async () => {
    const folder = await writeDataset(pairs);
    const short = Buffer.concat([Buffer.from('k\0\0', 'latin1'), deflateSync('made by hand')]);
    await writeFile(join(folder, 'images/edited/p1.png'), withChunk(good, 'zTXt', short));
    const store = new ArtifactStore(await temporaryFolder());
    const activities = createDatasetActivities({ store });
    const plan = makePlan(folder);
    expect(await inActivity(activityEnvironment().env, () => activities.checkDataset({ plan }))).toMatchObject({
      reused: false,
    });
  });
});

describe('a parquet file that is damaged is refused with its name', () => {
  const name = 'data/train-00000-of-00001.parquet';
  const hub = () => writeHub({ train: [hubRow(null, 2)], test: [hubRow(null, 3)] });

  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['nothing', (path) => writeFile(path, ''), 'expected a readable parquet file, got one of 0 bytes'],
    ['its marks alone', (path) => writeFile(path, 'PAR1PAR1'), 'got one of 8 bytes'],
    [
      'marks and a length',
      (path) => writeFile(path, 'PAR1\0\0\0\0PAR1'),
      'expected a readable parquet file, got one that is',
    ],
    ['a length beyond it', (path) => writeFile(path, 'PAR1\xff\xff\xff\x7fPAR1'), 'expected a readable parquet file'],
    ['text', (path) => writeFile(path, 'id,score\n1,2\n'), 'expected a readable parquet file'],
    ['its first half', (path) => truncate(path, 300), 'expected a readable parquet file'],
    ['a pipe', async (path) => pipe(await without(path)), 'expected a regular file, got a named pipe'],
    ['a device', async (path) => symlink('/dev/zero', await without(path)), 'expected a regular file, got a device'],
    ['a gigabyte of zeros', (path) => truncate(path, 2 ** 30), 'expected a readable parquet file'],
  ])('%s', async (_name, harm, sentence) => {
    const folder = await hub();
    await harm(join(folder, name));
    const message = await refusal(folder);
    expect(message).toContain(`${name}: `);
    expect(message).toContain(sentence);
  });

  it('and an instruction that is no UTF-8 is a fault of its row', async () => {
    const folder = await hub();
    const path = join(folder, name);
    const bytes = await readFile(path);
    const at = bytes.indexOf('make it blue');
    const file = await open(path, 'r+');
    await file.write(Buffer.from([0xff]), 0, 1, at);
    await file.close();
    expect(await refusal(folder)).toContain(`${name} row 1, edit_inst: expected string, got 12 bytes`);
  });

  it.each(Array.from({ length: 24 }, (_, index) => index))(
    'or read, with byte %d of its footer flipped',
    async (index) => {
      const folder = await hub();
      const path = join(folder, name);
      const bytes = await readFile(path);
      const footer = bytes.readUInt32LE(bytes.length - 8);
      const place = bytes.length - 8 - footer + Math.floor((footer * index) / 24);
      bytes.writeUInt8(bytes.readUInt8(place) ^ 0x15, place);
      await writeFile(path, bytes);
      const store = new ArtifactStore(await temporaryFolder());
      const activities = createDatasetActivities({ store });
      const checked = inActivity(activityEnvironment().env, () => activities.checkDataset({ plan: makePlan(folder) }));
      const ended: unknown = await checked.then(
        (artifact) => ({ type: 'DataInvalid', message: artifact.key }),
        (error: unknown) => error,
      );
      expect(ended).toMatchObject({
        type: 'DataInvalid',
        message: expect.not.stringMatching(/Cannot read|call stack/),
      });
    },
  );
});

async function rows(folder: string, wanted: (pair: Pair) => boolean): Promise<void> {
  const text = pairs.filter(wanted).map((pair) => `${JSON.stringify(pair)}\n`);
  await writeFile(join(folder, 'pairs.jsonl'), text.join(''));
}
