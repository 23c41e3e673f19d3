/**
 * IE-Bench's parquet form, as the Hugging Face hub has it: columns `images` (two of `{bytes, path}`, source and edited),
 * `edit_inst`, `answer` (overall MOS); the split is in the file's name. hyparquet reads it, with one row group in memory at
 * a time. Other columns (`problem`, the prompt) are not used. The form has no sub-scores.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import * as z from 'zod';
import { cut } from '../../domain/errors.ts';
import { decodeUtf8, FileFault, withRegularFile } from '../../files/regular-file.ts';
import { maxImageBytes } from './image-files.ts';
import {
  checkPair,
  type DatasetSource,
  type FieldNames,
  type ImageBytes,
  type OnImage,
  type PairLine,
  type ReadRows,
  type Split,
  writtenPairs,
} from './rows.ts';
import { parseBasename, stem } from './text.ts';
import { systemCode } from '../failure.ts';

/** A row group is read column by column and held in memory. Those of the hub have some 100 MB. */
const maxSliceBytes = 1024 * 1024 * 1024;
/** Its marks and the length of its footer. */
const leastBytes = 12;
/** Pairs are held in memory, about a kilobyte each. */
const maxRows = 1_000_000;

/** Pages that claim to inflate to more than a row group may have are refused. Text that is no UTF-8 stays bytes, which is a fault of its row. */
const decoding = {
  utf8: false,
  compressors: Object.fromEntries(
    Object.entries(compressors).map(([codec, inflate]): [string, typeof inflate] => [
      codec,
      (input, outputLength) => {
        if (outputLength > maxSliceBytes)
          throw new Error(`a page of ${outputLength} bytes, more than ${maxSliceBytes}`);
        return inflate(input, outputLength);
      },
    ]),
  ),
  parsers: { stringFromBytes: (bytes: Uint8Array | undefined) => bytes && (decodeUtf8(bytes) ?? bytes) },
};

const columns = ['images', 'edit_inst', 'answer'];
/** Our fields → the form's, for faults. */
const names = { id: 'images', instruction: 'edit_inst', 'mos.overall': 'answer' };
const imageNames = ['images[0]', 'images[1]'] as const;

const image = z.object({ bytes: z.instanceof(Uint8Array).nullish(), path: z.string().nullish() });
const rowSchema = z.object({
  images: z.tuple([image, image]),
  edit_inst: z.unknown(),
  answer: z.unknown(),
});
type Row = z.output<typeof rowSchema>;

export class ParquetSource implements DatasetSource {
  readonly fields: FieldNames = {
    id: 'images',
    split: 'images[0]',
    source_image: 'images[0]',
    edited_image: 'images[1]',
  };
  readonly #folder: string;
  readonly #files: readonly string[];

  constructor(folder: string, files: readonly string[]) {
    this.#folder = folder;
    this.#files = files;
  }

  async scan(onImage: OnImage): Promise<ReadRows> {
    const rows: ReadRows = { pairs: [], faults: [] };
    let total = 0;
    for (const name of this.#files) {
      total += await withParquet(this.#folder, name, async (file) => ('groups' in file ? 2 * file.rows : 0));
    }
    for (const name of this.#files) {
      await withParquet(this.#folder, name, async (file) => {
        if ('fault' in file) rows.faults.push(file.fault);
        else await readFileRows(file, rows, (path, bytes) => onImage(path, bytes, total));
      });
    }
    return rows;
  }

  async pairsText(pairs: readonly PairLine[]): Promise<string> {
    return writtenPairs(pairs);
  }
}

interface ParquetFile {
  name: string;
  split: Split;
  buffer: AsyncBuffer;
  metadata: Awaited<ReturnType<typeof parquetMetadataAsync>>;
  rows: number;
  groups: number[];
}

/** Opens one file, reads its footer and runs `work` with what it says, or with the sentence on what is wrong with it. */
async function withParquet<T>(
  folder: string,
  name: string,
  work: (file: ParquetFile | { fault: string }) => Promise<T>,
): Promise<T> {
  const split = splitOf(name);
  if (split === undefined) {
    return work({ fault: `${name}: expected "train", "test" or "validation" in its name, to tell the split` });
  }
  let isOpen = false;
  try {
    return await withRegularFile(join(folder, name), async (handle, { size }) => {
      isOpen = true;
      return work(await readFooter(name, split, bufferOf(handle, size)));
    });
  } catch (error) {
    // Only errors of the open: what `work` threw is not judged here.
    if (isOpen || !(error instanceof FileFault)) throw error;
    return work({ fault: `${name}: expected ${error.expected}, got ${error.got}` });
  }
}

/** Reads ranges of an open file. A range beyond its end, or larger than a row group may be, is an error: the footer is damaged. */
function bufferOf(handle: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const length = end - start;
      if (start < 0 || length < 0 || end > byteLength) throw new Error(`bytes ${start} to ${end} of ${byteLength}`);
      if (length > maxSliceBytes) throw new Error(`${length} bytes at once, more than ${maxSliceBytes}`);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await handle.read(bytes, done, length - done, start + done);
        if (bytesRead === 0) throw new Error(`its end after ${start + done} bytes`);
        done += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

async function readFooter(name: string, split: Split, buffer: AsyncBuffer): Promise<ParquetFile | { fault: string }> {
  if (buffer.byteLength < leastBytes) {
    return { fault: `${name}: expected a readable parquet file, got one of ${buffer.byteLength} bytes` };
  }
  try {
    const metadata = await parquetMetadataAsync(buffer);
    const known = new Set(metadata.schema.map((element) => element.name));
    const missing = columns.filter((column) => !known.has(column));
    if (missing.length > 0)
      return { fault: `${name}: expected columns ${columns.join(', ')}, got none of ${missing.join(', ')}` };
    const groups = metadata.row_groups.map((group) => Number(group.num_rows));
    const rows = groups.reduce((sum, count) => sum + count, 0);
    if (groups.some((count) => count < 0) || rows > maxRows) {
      return { fault: `${name}: expected at most ${maxRows} rows, got ${groups.join(' + ').slice(0, 100)}` };
    }
    return { name, split, buffer, metadata, rows, groups };
  } catch (error) {
    return { fault: unreadable(name, error) };
  }
}

/** `data/train-00000-of-00002.parquet`, `test/0000.parquet` → its split. */
function splitOf(name: string): Split | undefined {
  const [, word] = /(?:^|[/_-])(train|test|validation|val|dev)(?=[-._/])/.exec(name) ?? [];
  if (word === undefined) return undefined;
  return word === 'train' || word === 'test' ? word : 'dev';
}

async function readFileRows(
  file: ParquetFile,
  rows: ReadRows,
  onImage: (path: string, image: ImageBytes) => Promise<void>,
): Promise<void> {
  let start = 0;
  for (const count of file.groups) {
    const read = await readGroup(file, start, start + count);
    if ('fault' in read) {
      rows.faults.push(read.fault);
      return;
    }
    for (const [offset, value] of read.values.entries()) {
      await readRow(value, `${file.name} row ${start + offset + 1}`, file.split, start + offset, rows, onImage);
    }
    start += count;
  }
}

async function readGroup(
  file: ParquetFile,
  rowStart: number,
  rowEnd: number,
): Promise<{ values: unknown[] } | { fault: string }> {
  const { buffer, metadata } = file;
  try {
    return {
      values: await parquetReadObjects({ file: buffer, metadata, columns, rowStart, rowEnd, ...decoding }),
    };
  } catch (error) {
    return { fault: unreadable(`${file.name} rows ${rowStart + 1} to ${rowEnd}`, error) };
  }
}

/**
 * A file that hyparquet cannot read is a fault of the data; one that the disk cannot read is thrown. Of damage that the
 * library did not foresee its own words say nothing.
 */
function unreadable(what: string, error: unknown): string {
  if (systemCode(error) !== undefined || !(error instanceof Error)) throw error;
  const unforeseen = error instanceof TypeError || error instanceof RangeError;
  const why = unforeseen ? 'damaged' : `not (${cut(error.message)})`;
  return `${what}: expected a readable parquet file, got one that is ${why}`;
}

async function readRow(
  value: unknown,
  where: string,
  split: Split,
  index: number,
  rows: ReadRows,
  onImage: (path: string, image: ImageBytes) => Promise<void>,
): Promise<void> {
  const read = rowSchema.safeParse(value);
  if (!read.success) {
    rows.faults.push(`${where}, images: expected two of {bytes, path}, source and edited`);
    return;
  }
  const pair = pairOf(read.data, split, index);
  const checked = checkPair(pair, names);
  if ('faults' in checked) {
    rows.faults.push(...checked.faults.map((fault) => `${where}${fault}`));
    return;
  }
  rows.pairs.push({ where, pair: checked.pair });
  for (const [position, path] of [checked.pair.source_image, checked.pair.edited_image].entries()) {
    await onImage(path, imageBytes(read.data.images[position === 0 ? 0 : 1], imageNames[position === 0 ? 0 : 1]));
  }
}

/** Names come from the images' paths if those are IE-Bench's. Otherwise the row's number and the source's content name it. */
function pairOf(row: Row, split: Split, index: number): Record<string, unknown> {
  const [source, edited] = row.images;
  const name = basename(edited.path ?? '');
  const known = parseBasename(name);
  const own = `${split}-${String(index).padStart(5, '0')}`;
  const id = known === undefined ? own : stem(name);
  const file = known === undefined ? own : name;
  return {
    id,
    source_id: known?.source ?? contentName(source.bytes),
    split,
    instruction: row.edit_inst,
    source_image: `images/src/${file}`,
    edited_image: `images/edited/${file}`,
    mos: { overall: typeof row.answer === 'number' ? withoutFloatNoise(row.answer) : row.answer },
    method: known?.method ?? 'unknown',
  };
}

function contentName(bytes: Uint8Array | null | undefined): string {
  return `image-${createHash('sha256')
    .update(bytes ?? '')
    .digest('hex')
    .slice(0, 16)}`;
}

/** Reads a score that was stored as a 32-bit float (3.0399999618530273) as it was meant. */
function withoutFloatNoise(value: number): number {
  return Number(value.toFixed(6));
}

function imageBytes(one: Row['images'][number], name: string): ImageBytes {
  const { bytes } = one;
  if (bytes === null || bytes === undefined) return { fault: `expected bytes in ${name}, got none` };
  if (bytes.length > maxImageBytes) return { fault: `expected at most ${maxImageBytes} bytes, got ${bytes.length}` };
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
