/**
 * Removing from a store that others use. Each thing goes in three steps:
 *
 *   1. renamed in place to `<name>.trash-<ms>`: nobody finds it any more, and nothing is lost
 *   2. after as long as another machine's view may be old, looked at again: if it was used meanwhile, or is needed now, it gets its name back
 *   3. renamed to `<name>.going-<ms>`, and deleted
 *
 * A rename needs no room, so it works on a full disk. `ArtifactStore.find` marks an artifact as used before it looks at it: either its mark is seen
 * in step 2, or it does not find the artifact and it is made anew.
 *
 * kill -9 before 1: nothing has happened. Between 1 and 3: it is settled as in step 2 by the next gc, once it is ten minutes old. After 3: the next
 * gc deletes the rest. Two at once: each rename is done by one of them.
 */
import { readdir, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { GoingKind } from '../../domain/keeping/retention.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { hasCode } from '../store/durable-file.ts';
import { modifiedAt } from './roots.ts';
import { places } from './survey.ts';

/** What may go. */
export interface Item {
  kind: GoingKind;
  /** Absolute. */
  path: string;
  bytes: number;
  /** ms. For an artifact, of its manifest. */
  usedAt: number;
}

/** In the trash: its name now, its name before, when it came there (ms), when it was last used by then. */
export interface Trashed {
  at: string;
  path: string;
  since: number;
  usedAt: number;
}

const abandonedMs = 10 * 60_000;
const trash = /^(.+)\.trash-(\d+)$/;
/** `runs/<run>/jobs/<stage>/<attempt>/checkpoints`. */
const checkpointsDepth = 6;
const going = /\.going-\d+$/;

/** Undefined if it is gone, or was used since it was looked at. */
export async function moveToTrash({ path, usedAt, kind }: Item, now: number): Promise<Trashed | undefined> {
  const at = `${path}.trash-${now}`;
  if (((await usedOf(path, kind === 'artifact')) ?? Infinity) > usedAt) return undefined;
  if (!(await renamed(path, at))) return undefined;
  return { at, path, since: now, usedAt };
}

/** Deletes it, or gives it its name back. */
export async function settle(one: Trashed, isNeeded: (path: string) => boolean): Promise<'deleted' | 'kept'> {
  const { at, path, since, usedAt } = one;
  const isArtifact = (await namesIn(at).catch(() => new Set<string>())).has('manifest.json');
  const used = await usedOf(at, isArtifact);
  if (isNeeded(path) || (isArtifact && used !== undefined && used > usedAt)) {
    if (await putBack(at, path)) return 'kept';
  }
  const gone = `${path}.going-${since}`;
  if (await renamed(at, gone)) await rm(gone, { recursive: true, force: true });
  return 'deleted';
}

/** False if something new has the name by now. */
async function putBack(at: string, path: string): Promise<boolean> {
  try {
    await rename(at, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** What is in the trash, and what an earlier gc that was killed was about to delete. It only reads. */
export async function findTrash(root: string): Promise<{ trashed: Trashed[]; going: string[] }> {
  const found: { trashed: Trashed[]; going: string[] } = { trashed: [], going: [] };
  for (const folder of await placesOfTrash(root)) {
    for (const name of await namesIn(folder).catch(noFolder)) {
      if (going.test(name)) found.going.push(join(folder, name));
      const [, before = '', stamp = ''] = trash.exec(name) ?? [];
      const since = Number(stamp);
      if (before === '') continue;
      // A use before it came to the trash was known to the gc that put it there.
      found.trashed.push({ at: join(folder, name), path: join(folder, before), since, usedAt: since });
    }
  }
  return found;
}

/** All folders in which something may be in the trash. */
async function placesOfTrash(root: string): Promise<string[]> {
  const found: string[] = [];
  const add = async (folder: string, depth: number): Promise<void> => {
    found.push(folder);
    if (depth === 1) return;
    for (const name of await foldersIn(folder)) await add(join(folder, name), depth - 1);
  };
  for (const [name, depth] of places) await add(join(root, name), name === 'runs' ? checkpointsDepth : depth);
  return found;
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && !entry.name.includes('.trash-')).map(({ name }) => name);
  } catch (error) {
    return [...noFolder(error)];
  }
}

function noFolder(error: unknown): ReadonlySet<string> {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return new Set();
  throw error;
}

/** Is it left by a gc that was killed? One that is at work settles its own. */
export function isAbandoned({ since }: Trashed, now: number): boolean {
  return now - since >= abandonedMs;
}

async function usedOf(path: string, isArtifact: boolean): Promise<number | undefined> {
  return modifiedAt(isArtifact ? join(path, 'manifest.json') : path);
}

/** False if it is gone. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** The run whose folder holds it. */
export function runOf(root: string, path: string): string | undefined {
  const [top, run] = relative(root, path).split('/');
  return top === 'runs' ? run : undefined;
}
