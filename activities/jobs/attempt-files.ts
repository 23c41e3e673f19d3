/**
 * Files that a job leaves in its attempt's folder. They are read with distrust: only regular files, no links, bounded sizes, checked by zod.
 * An absent file is undefined. An unreadable one is evidence: it gives a sentence. Only a file server that does not answer (EIO) is an exception: the activity is tried again. Each file is looked for in its
 * folder's listing before it is opened (files/fresh-look.ts).
 */
import { type FileHandle, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type * as z from 'zod';
import { type Outcome, outcomeSchema, resultSchema, type TrainerResult } from '../../domain/manifest.ts';
import { attemptFiles } from '../../domain/names.ts';
import { freshSize, readFrom, staleViewMs, whenListed } from '../../files/fresh-look.ts';
import { FileFault, readRegularFile, readRegularText, withRegularFile } from '../../files/regular-file.ts';
import { hasCode } from '../store/durable-file.ts';

const maxJsonBytes = 1024 * 1024;
const maxReadBytes = 16 * maxJsonBytes;
/** If a job puts a link in place of a file, the link is not followed. */
const noFollow = { noFollow: true };

/** What was found in place of a JSON file. */
export type Found<T> = { kind: 'absent' } | { kind: 'read'; value: T } | { kind: 'unreadable'; why: string };

/** `patienceMs`: how long a file that is listed and cannot be opened is waited for. With 0 it counts as absent. */
export function findOutcome(directory: string, patienceMs = staleViewMs): Promise<Found<Outcome>> {
  return findJson(directory, attemptFiles.outcome, outcomeSchema, patienceMs);
}

/** Does it say exit 0, with the attempt's own name? Then nothing that Slurm could say changes what becomes of the attempt. */
export function saysDone(found: Found<Outcome>, name: string): boolean {
  return found.kind === 'read' && found.value.name === name && found.value.exit_code === 0;
}

export function findResult(directory: string): Promise<Found<TrainerResult>> {
  return findJson(directory, attemptFiles.result, resultSchema, staleViewMs);
}

/** Text of the result as the job left it. Throws FileFault for what is no regular file of its size, system errors as they are. */
export async function readResultText(directory: string): Promise<string> {
  return readRegularText(join(directory, attemptFiles.result), maxJsonBytes, noFollow);
}

/** The result if it is there and readable. */
export async function readResult(directory: string): Promise<TrainerResult | undefined> {
  const found = await findResult(directory);
  return found.kind === 'read' ? found.value : undefined;
}

/** The last `bytes` of a text file, from the first whole line on, without control characters. Empty if there is no such file. */
export async function tailText(path: string, bytes: number): Promise<string> {
  const read = await whenListed(dirname(path), basename(path), (at) => readTail(at, bytes));
  if (read === undefined) return '';
  const text = read.start === 0 ? read.text : read.text.slice(read.text.indexOf('\n') + 1);
  return (
    text
      .split('\n')
      // A progress bar rewrites its line by carriage returns. What a terminal would show counts.
      .map((line) => line.slice(line.lastIndexOf('\r') + 1))
      .join('\n')
      // oxlint-disable-next-line no-control-regex
      .replace(/\u001B\[[0-9;]*[A-Za-z]|[\u0000-\u0008\u000B-\u001F\u007F]/g, '')
  );
}

export interface ReadLines {
  lines: string[];
  /** Where to go on reading. */
  offset: number;
  /** The last bytes before that place: by them the file is known again. */
  tail: Buffer;
  /** The file is another one than was read up to the given offset: these lines are its first. */
  again: boolean;
}

/** Bytes by which a file is known again: a row of numbers has its time in so many. */
const tailBytes = 512;

/**
 * Whole lines of a growing file from byte `offset` on, at most 16 MiB of them. A line that has not ended is left. What is no regular file
 * has no lines. `tail`: what an earlier call said is before the offset. Throws ENOENT if there is nothing: the caller has seen it listed.
 */
export async function readLinesFrom(
  path: string,
  offset: number,
  tail: Buffer = Buffer.from('\n'),
): Promise<ReadLines> {
  const none = { lines: [], offset, tail, again: false };
  return whereRegular(path, none, async (file) => {
    // What was before the offset must still be there. Otherwise the file was replaced, or cut off and begun anew.
    const goesOn = offset >= tail.length && (await readFrom(file, offset - tail.length, tail.length)).equals(tail);
    const start = goesOn ? offset : 0;
    await freshSize(file);
    const bytes = await readFrom(file, start, maxReadBytes);
    const end = bytes.lastIndexOf(0x0a) + 1;
    const lines = bytes.toString('utf8', 0, end).split('\n');
    return {
      lines: lines.filter((line) => line !== ''),
      offset: start + end,
      tail: end === 0 && goesOn ? tail : Buffer.from(bytes.subarray(Math.max(0, end - tailBytes), end)),
      again: offset > 0 && !goesOn,
    };
  });
}

/** Paths of complete checkpoints, newest last. The trainer renames a checkpoint into place when it is whole. */
export async function listCheckpoints(directory: string): Promise<string[]> {
  const names = (await whenListed(directory, attemptFiles.checkpoints, foldersIn)) ?? [];
  const step = (name: string) => Number(name.slice('checkpoint-'.length));
  return names
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .toSorted((a, b) => step(a) - step(b))
    .map((name) => join(directory, attemptFiles.checkpoints, name));
}

/** Names of folders in a folder, or in whatever a job has made instead of one. */
async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

/** A JSON file of a job's folder. `patienceMs`: how long a listed file that cannot be opened is waited for. */
export async function findJson<T>(
  directory: string,
  name: string,
  schema: z.ZodType<T>,
  patienceMs: number,
): Promise<Found<T>> {
  const found = await whenListed(directory, name, (path) => readJson(path, schema), patienceMs);
  return found ?? { kind: 'absent' };
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<Found<T>> {
  try {
    const text = (await readRegularFile(path, maxJsonBytes, noFollow)).toString('utf8');
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return { kind: 'read', value: parsed.data };
    const issue = parsed.error.issues[0];
    return { kind: 'unreadable', why: `${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as agreed'}` };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'unreadable', why: `${path} is not JSON (${error.message})` };
    if (error instanceof FileFault) return { kind: 'unreadable', why: error.message };
    if (hasCode(error, 'ELOOP')) return { kind: 'unreadable', why: `${path} is a symbolic link` };
    throw error;
  }
}

async function readTail(path: string, bytes: number): Promise<{ text: string; start: number }> {
  return whereRegular(path, { text: '', start: 0 }, async (file) => {
    const start = Math.max(0, (await freshSize(file)) - bytes);
    return { text: (await readFrom(file, start, bytes)).toString('utf8'), start };
  });
}

/** `work` on a regular file; `otherwise` for a link, a pipe, a device, a folder. */
async function whereRegular<T>(path: string, otherwise: T, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await withRegularFile(path, work, noFollow);
  } catch (error) {
    if (error instanceof FileFault || hasCode(error, 'ELOOP')) return otherwise;
    throw error;
  }
}
