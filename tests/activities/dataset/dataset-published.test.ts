/** The two forms in which IE-Bench was published: text files beside pictures, and parquet files. Written here, never copied. */
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { beforeEach, describe, expect, it } from 'vitest';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createDatasetActivities, readDatasetPairs, readImageSizes } from '../../../activities/dataset/dataset.ts';
import { teacherPrompt } from '../../../domain/critique/prompt.ts';
import { checkRecipe, type DatasetSettings } from '../../../domain/recipe.ts';
import { activityEnvironment, inActivity, makePlan, png, rejection, temporaryFolder } from '../fixtures.ts';
import { hubRow, writeHub } from './hub-fixtures.ts';

let store: ArtifactStore;

beforeEach(async () => {
  store = new ArtifactStore(await temporaryFolder());
});

async function check(path: string, settings: Partial<DatasetSettings> = {}) {
  const plan = makePlan(path);
  const dataset = { ...plan.recipe.dataset, ...settings };
  const activities = createDatasetActivities({ store });
  const changed = { ...plan, recipe: { ...plan.recipe, dataset } };
  return inActivity(activityEnvironment().env, () => activities.checkDataset({ plan: changed }));
}

/** The faults that a dataset is refused with, one each. */
async function faults(path: string, settings: Partial<DatasetSettings> = {}): Promise<string[]> {
  const error = await rejection(check(path, settings));
  expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
  const [, ...lines] = (error instanceof Error ? error.message : '').split('\n');
  return lines.map((line) => line.trim());
}

const train = [
  'aaaa1_PnP_IEB_00001_prompt1.png',
  'aaaa2_H-Edit_IEB_00001_prompt2.png',
  'aaaa3_Bagel_IEB_00002_prompt1.png',
];
const test = ['bbbb1_PnP_IEB_00003_prompt1.png'];

async function pictures(folder: string, names: readonly string[]): Promise<void> {
  for (const kind of ['src', 'dst']) {
    await mkdir(join(folder, kind), { recursive: true });
    for (const name of names) await writeFile(join(folder, kind, name), png(kind === 'src' ? 8 : 9, 8));
  }
}

const line = (name: string, label: string | number) => `${name}|make it blue|a red ball|a blue ball|${label}\n`;

async function writeText(rows: { train: string; val: string }, names = [...train, ...test]): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'train.txt'), rows.train);
  await writeFile(join(folder, 'val.txt'), rows.val);
  await pictures(folder, names);
  return folder;
}

const goodText = () =>
  writeText({
    train: train.map((name, i) => line(name, 1.08 + i)).join(''),
    val: line('bbbb1_PnP_IEB_00003_prompt1.png', 4.84),
  });

describe('the text form', () => {
  it('becomes an artifact of our own form: ids, methods, sources and splits from the names, no sub-scores', async () => {
    const artifact = await check(await goodText());
    expect(artifact.counts).toEqual({ pairs: 4, train: 3, dev: 0, test: 1, sources: 3, shared_sources: 0, images: 8 });
    const pairs = await readDatasetPairs(artifact);
    expect(pairs[1]).toEqual({
      id: 'aaaa2_H-Edit_IEB_00001_prompt2',
      source_id: '00001',
      split: 'train',
      instruction: 'make it blue',
      source_image: 'images/src/aaaa2_H-Edit_IEB_00001_prompt2.png',
      edited_image: 'images/edited/aaaa2_H-Edit_IEB_00001_prompt2.png',
      mos: { overall: 2.08 },
      method: 'H-Edit',
    });
    expect(pairs.map(({ split }) => split)).toEqual(['train', 'train', 'train', 'test']);
    expect(await readFile(join(artifact.path, 'images/edited', test[0] ?? ''))).toEqual(png(9, 8));
    expect((await readImageSizes(artifact.path))['images/edited/aaaa3_Bagel_IEB_00002_prompt1.png']).toEqual([9, 8]);
  });

  it('takes val.txt for dev where there is a test.txt', async () => {
    const folder = await goodText();
    await writeFile(join(folder, 'val.txt'), line(train[2] ?? '', 2));
    await writeFile(
      join(folder, 'train.txt'),
      train
        .slice(0, 2)
        .map((name) => line(name, 3))
        .join(''),
    );
    await writeFile(join(folder, 'test.txt'), line(test[0] ?? '', 2));
    expect((await check(folder)).counts).toMatchObject({ train: 2, dev: 1, test: 1 });
  });

  it('reads Windows line ends and a longer row', async () => {
    const folder = await goodText();
    await writeFile(join(folder, 'val.txt'), `${test[0]}|make it blue|a|b|c|d|3.5\r\n\r\n`);
    expect((await readDatasetPairs(await check(folder))).at(-1)?.mos).toEqual({ overall: 3.5 });
  });

  it('lists every fault of every file at once, row and field named', async () => {
    const rows = {
      train: [
        line(train[0] ?? '', 'good'),
        line('holiday.png', 3),
        line(train[1] ?? '', 5.5),
        'aaaa3|x\n',
        `${train[2]}||a|b|2\n`,
      ].join(''),
      val: line('bbbb1_PnP_IEB_00003_prompt1.png', 2) + line('bbbb2_PnP_IEB_00004_prompt1.png', 3),
    };
    const folder = await writeText(rows);
    await writeFile(join(folder, 'dst', test[0] ?? ''), png(64, 64).subarray(0, 60));
    expect(await faults(folder)).toEqual([
      'train.txt line 1, label: expected number, got "good"',
      'train.txt line 2, basename: expected "tag_Method_IEB_00000_prompt1.png", got "holiday.png"',
      'train.txt line 3, label: expected number to be <=5, got 5.5',
      'train.txt line 4: expected "basename|instruction|captions …|label", got aaaa3|x',
      'train.txt line 5, instruction: expected a text with something to see, got ""',
      'expected rows in split "train", got none',
      `val.txt line 1, basename: expected an image, got "images/edited/${test[0]}", a PNG that is cut off or damaged`,
      'val.txt line 2, basename: expected a file, got "src/bbbb2_PnP_IEB_00004_prompt1.png", which does not exist',
      'val.txt line 2, basename: expected a file, got "dst/bbbb2_PnP_IEB_00004_prompt1.png", which does not exist',
    ]);
  });

  it('refuses a source that both splits have, unless the recipe says to report it', async () => {
    const shared = 'bbbb3_PnP_IEB_00001_prompt1.png';
    const rows = { train: train.map((name) => line(name, 3)).join(''), val: line(shared, 2) };
    const folder = await writeText(rows, [...train, shared]);
    expect(await faults(folder)).toEqual([
      'val.txt line 1, basename: expected "train", got "test": source "00001" is in "train" at train.txt line 1, and a source belongs to one split (unless recipe.dataset.shared_sources is report)',
    ]);
    const artifact = await check(folder, { shared_sources: 'report' });
    expect(artifact.counts).toMatchObject({ pairs: 4, shared_sources: 1 });
  });
});

describe('the parquet form', () => {
  const good = () =>
    writeHub({ train: train.map((name, i) => hubRow(name, 1.08 + i)), test: [hubRow(test[0] ?? '', 3.04)] });

  it('gives the same artifact as the text form of the same rows but for the order of splits', async () => {
    const hub = await check(await good());
    const text = await check(
      await writeText({ train: train.map((name, i) => line(name, 1.08 + i)).join(''), val: line(test[0] ?? '', 3.04) }),
    );
    expect(hub.counts).toEqual(text.counts);
    const pairs = await readDatasetPairs(hub);
    expect(new Set(pairs.map((pair) => JSON.stringify(pair)))).toEqual(
      new Set((await readDatasetPairs(text)).map((pair) => JSON.stringify(pair))),
    );
    expect(await readFile(join(hub.path, 'images/edited', test[0] ?? ''))).toEqual(png(9, 8));
  });

  it('names rows by their number and sources by their content where the file has no names', async () => {
    const folder = await writeHub({
      train: [hubRow(null, 2)],
      test: [
        hubRow('image.png', 3, {
          images: [
            { bytes: png(7, 7), path: null },
            { bytes: png(9, 8), path: null },
          ],
        }),
      ],
    });
    const pairs = await readDatasetPairs(await check(folder));
    expect(pairs.map(({ id, method }) => [id, method])).toEqual([
      ['test-00000', 'unknown'],
      ['train-00000', 'unknown'],
    ]);
    const same = await writeHub({ train: [hubRow(null, 2)], test: [hubRow(null, 3)] });
    expect(await faults(same)).toEqual([expect.stringMatching(/source "image-[0-9a-f]{16}" is in "test"/)]);
  });

  it('lists every fault of every file at once, row and field named', async () => {
    const folder = await writeHub({
      train: [
        hubRow(train[0] ?? '', 0.5),
        hubRow(train[1] ?? '', 3, { edit_inst: null }),
        hubRow(train[2] ?? '', 3, { images: [{ bytes: png(8, 8), path: null }] }),
        hubRow('cccc1_PnP_IEB_00009_prompt1.png', 2, {
          images: [
            { bytes: null, path: 'cccc1_PnP_IEB_00009_prompt1.png' },
            { bytes: Buffer.from('no image'), path: 'cccc1_PnP_IEB_00009_prompt1.png' },
          ],
        }),
      ],
      test: [hubRow(test[0] ?? '', 3)],
    });
    await writeFile(join(folder, 'data/extra.parquet'), '');
    await writeFile(join(folder, 'data/validation-00000-of-00001.parquet'), 'PAR1 and nothing more PAR1');
    const file = 'data/train-00000-of-00001.parquet';
    expect(await faults(folder)).toEqual([
      'data/extra.parquet: expected "train", "test" or "validation" in its name, to tell the split',
      `${file} row 1, answer: expected number to be >=1, got 0.5`,
      `${file} row 2, edit_inst: expected string, got null`,
      `${file} row 3, images: expected two of {bytes, path}, source and edited`,
      expect.stringMatching(/^data\/validation-.*: expected a readable parquet file, got one that is not/),
      `${file} row 4, images[0]: expected bytes in images[0], got none`,
      `${file} row 4, images[1]: expected an image, got "images/edited/cccc1_PnP_IEB_00009_prompt1.png", no PNG, JPEG or WebP with a whole header`,
    ]);
  });

  it('says which columns a file lacks', async () => {
    const folder = await good();
    parquetWriteFile({
      filename: join(folder, 'data/test-00000-of-00001.parquet'),
      columnData: [{ name: 'answer', data: [3], type: 'DOUBLE' }],
    });
    expect(await faults(folder)).toContain(
      'data/test-00000-of-00001.parquet: expected columns images, edit_inst, answer, got none of images, edit_inst',
    );
  });

  it('refuses a file that is cut off', async () => {
    const folder = await good();
    await truncate(join(folder, 'data/train-00000-of-00001.parquet'), 300);
    expect((await faults(folder))[0]).toMatch(/^data\/train-.*expected a readable parquet file/);
  });
});

describe('the recipe’s dataset section', () => {
  it('is a path or a path with how to read it', () => {
    const { recipe } = makePlan('/data');
    expect(recipe.dataset).toEqual({ path: '/data', form: 'auto', shared_sources: 'refuse' });
    const checked = checkRecipe({ ...recipe, dataset: { path: '', form: 'csv' } });
    expect('faults' in checked ? checked.faults : []).toEqual([
      'recipe.dataset.path: expected string to have >=1 characters, got ""',
      'recipe.dataset.form: expected one of "auto"|"pairs"|"text"|"parquet", got "csv"',
    ]);
  });

  it('names the form that is not there', async () => {
    const folder = await goodText();
    expect(await rejection(check(folder, { form: 'parquet' }))).toHaveProperty(
      'message',
      expect.stringContaining(
        `recipe.dataset: expected a folder with *.parquet files, got "${folder}", which has none`,
      ),
    );
    await rm(join(folder, 'train.txt'));
    expect(await rejection(check(folder))).toHaveProperty('message', expect.stringContaining('which has none'));
  });
});

it('the teacher is given the scores that there are', () => {
  const prompt = teacherPrompt('teacher-v1', { instruction: 'make it blue', mos: { overall: 3.2 } });
  expect(prompt.user).toContain('Ratings: {"overall":3.2}');
});
