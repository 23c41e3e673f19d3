/**
 * Dataset sources: a folder in one of the three forms, read as pairs of ours and the bytes of their images. What is wrong
 * with a row or a file is collected, never thrown; a broken disk is thrown.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import type { DatasetSettings } from '../domain/recipe.ts';
import { ImageFiles } from './dataset-image-files.ts';
import { ParquetSource } from './dataset-parquet.ts';
import {
  type DatasetSource,
  type OnImage,
  type PairLine,
  pairsFields,
  pairsName,
  readPairs,
  type ReadRows,
  type Split,
  writtenPairs,
} from './dataset-rows.ts';
import { readTextRows, textFields } from './dataset-text.ts';
import { hasCode } from './durable-file.ts';

/** What `val.txt` is depends on whether there is a `test.txt`: IE-Bench's own `val` is its test split. */
const textFiles = ['train.txt', 'val.txt', 'test.txt'] as const;
const maxTextBytes = 256 * 1024 * 1024;

/** The source that the settings name, or a sentence on what the folder lacks. */
export async function openDataset(settings: DatasetSettings): Promise<DatasetSource | { fault: string }> {
  const { path, form } = settings;
  const files = await filesOf(path);
  const texts = textFiles.filter((name) => files.includes(name));
  const parquet = files.filter((name) => name.endsWith('.parquet')).toSorted();
  const has = { pairs: files.includes(pairsName), text: texts.includes('train.txt'), parquet: parquet.length > 0 };
  const found = form === 'auto' ? (['pairs', 'text', 'parquet'] as const).find((name) => has[name]) : form;
  if (found === undefined || !has[found]) {
    const expected = {
      auto: `${pairsName}, train.txt or *.parquet files`,
      pairs: pairsName,
      text: 'train.txt',
      parquet: '*.parquet files',
    };
    return { fault: `recipe.dataset: expected a folder with ${expected[form]}, got "${path}", which has none` };
  }
  switch (found) {
    case 'pairs':
      return new PairsSource(path);
    case 'text':
      return new TextSource(path, texts);
    case 'parquet':
      return new ParquetSource(path, parquet);
  }
}

/** Our own form. */
class PairsSource implements DatasetSource {
  readonly fields = pairsFields;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async scan(onImage: OnImage): Promise<ReadRows> {
    const rows = readPairs(await this.pairsText());
    await new ImageFiles(this.#folder, (path) => path).read(rows.pairs, onImage);
    return rows;
  }

  pairsText(): Promise<string> {
    return readText(join(this.#folder, pairsName));
  }
}

/** IE-Bench's text form. */
class TextSource implements DatasetSource {
  readonly fields = textFields;
  readonly #folder: string;
  readonly #files: readonly (typeof textFiles)[number][];

  constructor(folder: string, files: readonly (typeof textFiles)[number][]) {
    this.#folder = folder;
    this.#files = files;
  }

  async scan(onImage: OnImage): Promise<ReadRows> {
    const rows: ReadRows = { pairs: [], faults: [] };
    for (const file of this.#files) {
      const { pairs, faults } = readTextRows(await readText(join(this.#folder, file)), file, this.#split(file));
      rows.pairs.push(...pairs);
      rows.faults.push(...faults);
    }
    const where = (path: string) =>
      path.replace(/^images\/(src|edited)\//, (_, kind) => (kind === 'src' ? 'src/' : 'dst/'));
    await new ImageFiles(this.#folder, where).read(rows.pairs, onImage);
    return rows;
  }

  async pairsText(pairs: readonly PairLine[]): Promise<string> {
    return writtenPairs(pairs);
  }

  #split(file: (typeof textFiles)[number]): Split {
    if (file === 'train.txt') return 'train';
    return file === 'val.txt' && this.#files.includes('test.txt') ? 'dev' : 'test';
  }
}

/** Names of the folder's own files and of the parquet files below it; none if there is no folder. */
async function filesOf(folder: string): Promise<string[]> {
  try {
    const own = await readdir(folder, { withFileTypes: true });
    const below = own.filter((entry) => entry.isDirectory() && !['images', 'src', 'dst'].includes(entry.name));
    const nested = await Promise.all(
      below.map(async ({ name }) =>
        (await readdir(join(folder, name), { recursive: true }))
          .filter((file) => file.endsWith('.parquet'))
          .map((file) => `${name}/${file}`),
      ),
    );
    return [...own.filter((entry) => !entry.isDirectory()).map(({ name }) => name), ...nested.flat()];
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > maxTextBytes) {
    throw ApplicationFailure.nonRetryable(
      `${path}: expected at most ${maxTextBytes} bytes, got ${size}`,
      'DataInvalid',
    );
  }
  return readFile(path, 'utf8');
}
