/**
 * Files that a job leaves in its attempt's folder, read with distrust: bounded sizes, regular files only, zod at the edge.
 * A file that is absent is undefined; one that is there and unreadable is a sentence, never an exception: it is evidence.
 */
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type * as z from 'zod';
import { type Outcome, outcomeSchema, resultSchema, type TrainerResult } from '../domain/manifest.ts';
import { attemptFiles } from '../domain/names.ts';
import { hasCode } from './durable-file.ts';

const maxJsonBytes = 1024 * 1024;

/** What was found where a JSON file was looked for. */
export type Found<T> = { kind: 'absent' } | { kind: 'read'; value: T } | { kind: 'unreadable'; why: string };

export function findOutcome(directory: string): Promise<Found<Outcome>> {
  return findJson(join(directory, attemptFiles.outcome), outcomeSchema);
}

/** Exit 0 and the attempt's own name: nothing that Slurm could say would change what becomes of the attempt. */
export function saysDone(found: Found<Outcome>, name: string): boolean {
  return found.kind === 'read' && found.value.name === name && found.value.exit_code === 0;
}

export function findResult(directory: string): Promise<Found<TrainerResult>> {
  return findJson(join(directory, attemptFiles.result), resultSchema);
}

/** The result if it is there and readable. */
export async function readResult(directory: string): Promise<TrainerResult | undefined> {
  const found = await findResult(directory);
  return found.kind === 'read' ? found.value : undefined;
}

/** Last `bytes` of a text file from the first whole line on, without control characters; empty if there is no file. */
export async function tailText(path: string, bytes: number): Promise<string> {
  const read = await readRange(path, (size) => Math.max(0, size - bytes));
  if (read === undefined) return '';
  const text = read.start === 0 ? read.text : read.text.slice(read.text.indexOf('\n') + 1);
  return (
    text
      .split('\n')
      // A progress bar rewrites its line by carriage returns: what the terminal would show is what counts.
      .map((line) => line.slice(line.lastIndexOf('\r') + 1))
      .join('\n')
      // oxlint-disable-next-line no-control-regex
      .replace(/\u001B\[[0-9;]*[A-Za-z]|[\u0000-\u0008\u000B-\u001F\u007F]/g, '')
  );
}

/** Whole lines of a growing file from byte `offset` on, and where to go on reading. A line not ended yet is left. */
export async function readLinesFrom(path: string, offset: number): Promise<{ lines: string[]; offset: number }> {
  const read = await readRange(path, (size) => (offset > size ? 0 : offset));
  if (read === undefined) return { lines: [], offset: 0 };
  const end = read.text.lastIndexOf('\n') + 1;
  const whole = read.text.slice(0, end);
  return { lines: whole.split('\n').filter((line) => line !== ''), offset: read.start + Buffer.byteLength(whole) };
}

/** Names of complete checkpoints, newest last. The trainer renames a checkpoint into place when it is whole. */
export async function listCheckpoints(directory: string): Promise<string[]> {
  const folder = join(directory, 'checkpoints');
  const entries = await readdir(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  const step = (name: string) => Number(name.slice('checkpoint-'.length));
  return entries
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .toSorted((a, b) => step(a) - step(b))
    .map((name) => join(folder, name));
}

async function findJson<T>(path: string, schema: z.ZodType<T>): Promise<Found<T>> {
  const read = await readRange(path, () => 0, maxJsonBytes);
  if (read === undefined) return { kind: 'absent' };
  try {
    const parsed = schema.safeParse(JSON.parse(read.text));
    if (parsed.success) return { kind: 'read', value: parsed.data };
    const issue = parsed.error.issues[0];
    return { kind: 'unreadable', why: `${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as agreed'}` };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'unreadable', why: `${path} is not JSON (${error.message})` };
    throw error;
  }
}

async function readRange(
  path: string,
  startOf: (size: number) => number,
  maxBytes = 16 * maxJsonBytes,
): Promise<{ text: string; start: number } | undefined> {
  try {
    const state = await lstat(path);
    if (!state.isFile()) return undefined;
    const file = await open(path, 'r');
    try {
      const start = startOf(state.size);
      const buffer = Buffer.alloc(Math.min(Math.max(0, state.size - start), maxBytes));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return { text: buffer.subarray(0, bytesRead).toString('utf8'), start };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
