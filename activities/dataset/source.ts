/**
 * Dataset sources: a folder in one of the three forms, read as our pairs and the bytes of their images. Faults of a row or a file are
 * collected and never thrown. Errors of the disk are thrown.
 */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { shown } from '../../domain/errors.ts';
import type { DatasetSettings } from '../../domain/recipe.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { ImageFiles } from './image-files.ts';
import { ParquetSource } from './parquet.ts';
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
} from './rows.ts';
import { readTextRows, textFields } from './text.ts';
import { hasCode } from '../store/durable-file.ts';

/** What `val.txt` is depends on whether there is a `test.txt`: IE-Bench's own `val` is its test split. */
const textFiles = ['train.txt', 'val.txt', 'test.txt'] as const;
/** Enough for half a million rows. The longest text that Node can hold is twice as long. */
export const maxTextBytes = 256 * 1024 * 1024;
/** Parquet files are in the folder or below it, in `data/` or in a folder for each split. With a limit a dataset "/" is not walked. */
const maxFolders = 1000;
const parquetDepth = 2;

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
    return { fault: `recipe.dataset: expected a folder with ${expected[form]}, got ${shown(path)}, which has none` };
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
    const rows = await readPairs(await this.pairsText());
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
    let rows: ReadRows = { pairs: [], faults: [] };
    for (const file of this.#files) {
      const text = await readText(join(this.#folder, file));
      const { pairs, faults } = await readTextRows(text, file, this.#split(file));
      // Not by spreading: some 100,000 arguments are too many.
      rows = { pairs: rows.pairs.concat(pairs), faults: rows.faults.concat(faults) };
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

/** Names of the folder's own files and of the parquet files below it. None if there is no folder. */
async function filesOf(folder: string): Promise<string[]> {
  const own = await entriesOf(folder);
  const nested: string[] = [];
  const open = foldersIn(own).filter((name) => !['images', 'src', 'dst'].includes(name));
  for (let looked = 0; looked < maxFolders; looked += 1) {
    const name = open.shift();
    if (name === undefined) break;
    const entries = await entriesOf(join(folder, name));
    nested.push(
      ...filesIn(entries)
        .filter((file) => file.endsWith('.parquet'))
        .map((file) => `${name}/${file}`),
    );
    if (name.split('/').length < parquetDepth) open.push(...foldersIn(entries).map((inner) => `${name}/${inner}`));
  }
  return [...filesIn(own), ...nested];
}

/** What is in a folder. Nothing if it is no folder or may not be read. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'].some((code) => hasCode(error, code))) return [];
    throw error;
  }
}

function filesIn(entries: readonly Dirent[]): string[] {
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

function foldersIn(entries: readonly Dirent[]): string[] {
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
}

function readText(path: string): Promise<string> {
  return readRegularText(path, maxTextBytes);
}
