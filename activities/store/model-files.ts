/**
 * Model files: what a folder of a Hugging Face model holds, whether that is a model, and the hash of its content. A Hub cache's snapshot consists
 * of links into `../../blobs`. A link is followed if it leads into the model's own folder or into a folder that the operator names. Any other
 * link is refused by name. Hidden files (`.git`, `.cache`) are no part of a model.
 *
 * Side effect: `<store>/models/stamps/<hash of the folder's path>.json`, replaced atomically. It has the hash
 * of each file with its size, times and inode, so a model of 15 GB is read once and later only looked at. Without it, or if it is damaged,
 * everything is hashed again.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { withRegularFile } from '../../files/regular-file.ts';
import { hasCode, readIfPresent, writeFileAtomic } from './durable-file.ts';
import { parseJson } from '../../files/json.ts';
import { refuse } from '../failure.ts';

/** Name of the list of hashes that a copy has. It is no part of a model. */
export const sumsName = 'SHA256SUMS';

/** A regular file of a model: its name, and its real path. */
export interface ModelFile {
  /** Relative to the model's folder. */
  name: string;
  path: string;
  bytes: number;
  /** Size, times and inode. Equal stamps mean equal content, unless somebody turns the clock. */
  stamp: string;
  /** The last change of content or inode, ms since 1970. */
  changedMs: number;
}

export interface HashedFile extends ModelFile {
  sha256: string;
}

/** Files of a model's folder, sorted by name. `DataInvalid` for a link that leads elsewhere, and for anything that is no file. */
export async function listModelFiles(folder: string, roots: readonly string[], field: string): Promise<ModelFile[]> {
  const allowed = await Promise.all([folder, ...roots].map(realIfThere));
  if (allowed[0] === undefined)
    throw modelFault(field, '.', 'a folder of a Hugging Face model', `"${folder}", which is not there`);
  const files: ModelFile[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const name = join(below, entry.name);
      if (entry.name.startsWith('.') || name === sumsName) continue;
      if (entry.isDirectory()) await walk(name);
      else files.push(await modelFile(folder, name, allowed, field));
    }
  };
  await walk('');
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function modelFile(
  folder: string,
  name: string,
  allowed: readonly (string | undefined)[],
  field: string,
): Promise<ModelFile> {
  const expected = 'a file, or a link that stays in the model, in CRITIC_MODEL_ROOTS or in CRITIC_MODEL_CACHES';
  const path = await realIfThere(join(folder, name));
  if (path === undefined) throw modelFault(field, name, expected, 'a link to nothing');
  if (!isBelow(path, allowed)) throw modelFault(field, name, expected, `a link to ${path}`);
  const stats = await stat(path, { bigint: true });
  if (!stats.isFile())
    throw modelFault(field, name, expected, stats.isDirectory() ? 'a link to a folder' : 'no such file');
  const { size, mtimeNs, ctimeNs, ino } = stats;
  const changedMs = Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n);
  return { name, path, bytes: Number(size), stamp: [path, size, mtimeNs, ctimeNs, ino].join(' '), changedMs };
}

/** The real path of a folder or file. Undefined if there is none, or only a loop of links. */
export async function realIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || hasCode(error, 'ELOOP')) return undefined;
    throw error;
  }
}

/** Is this real path one of these real folders, or below one? */
export function isBelow(path: string, folders: readonly (string | undefined)[]): boolean {
  return folders.some((folder) => folder !== undefined && `${path}/`.startsWith(folder === '/' ? '/' : `${folder}/`));
}

const stampsSchema = z.object({
  schema: z.literal(1),
  files: z.record(z.string(), z.object({ stamp: z.string(), sha256: z.string() })),
});
type Stamps = z.output<typeof stampsSchema>['files'];

/** Within this time of a change another change may leave the same times. Such a file is hashed again next time. */
const settledMs = 5000;

/** Hashes of all files. Those with a known stamp are taken from `<root>/models/stamps/`, the others are read. */
export async function hashModelFiles(root: string, folder: string, files: readonly ModelFile[]): Promise<HashedFile[]> {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 32);
  const path = join(root, 'models', 'stamps', `${name}.json`);
  const known = stampsSchema.safeParse(parseJson((await readIfPresent(path)) ?? '')).data?.files ?? {};
  const kept: Stamps = {};
  const hashed: HashedFile[] = [];
  for (const file of files) {
    const before = known[file.name];
    const startedMs = Date.now();
    const sha256 = before?.stamp === file.stamp ? before.sha256 : await sha256Of(file.path);
    hashed.push({ ...file, sha256 });
    const settled = before?.stamp === file.stamp || startedMs - file.changedMs > settledMs;
    if (settled) kept[file.name] = { stamp: file.stamp, sha256 };
  }
  if (JSON.stringify(kept) !== JSON.stringify(known)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, `${JSON.stringify({ schema: 1, files: kept })}\n`);
  }
  return hashed;
}

/** sha256 of a regular file's content, streamed. */
export async function sha256Of(path: string): Promise<string> {
  return withRegularFile(path, async (file) => {
    const hash = createHash('sha256');
    const stream = file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 });
    for await (const part of stream) hash.update(z.instanceof(Buffer).parse(part));
    return hash.digest('hex');
  });
}

/** Text of SHA256SUMS, and the key of the content: first 32 hex digits of that text's sha256. */
export function sumsOf(files: readonly Pick<HashedFile, 'name' | 'sha256'>[]): { key: string; text: string } {
  const text = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
  return { key: createHash('sha256').update(text).digest('hex').slice(0, 32), text };
}

/** `recipe.base_model: model.safetensors: expected …, got …`, which is not tried again. `got` is shown unchanged. */
export function modelFault(field: string, name: string, expected: string, got: string): ApplicationFailure {
  const given = got.length > 300 ? `${got.slice(0, 299)}…` : got;
  return refuse('DataInvalid', `${field}: ${name}: expected ${expected}, got ${given}`);
}
