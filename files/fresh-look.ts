/**
 * Fresh looks: what other machines wrote, seen through a file system that this machine shares with them. Its client answers from
 * memory: for up to a minute (NFS: `acdirmax`) a name that was absent stays absent. Opening a folder asks the server. So no name is
 * asked for before a listing has it. A listed name that cannot be opened yet is there, and is waited for, within bounds. Activities
 * use this. It does not know what the files mean.
 */
import { type FileHandle, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longest time for which a shared file system may show an old state, ms: NFS's default is 60 s, and this is half as much more. */
export const staleViewMs = 90_000;
const pauseMs = 500;

/** A file is known to be at a path and cannot be seen for longer than any cache should last. */
export class StaleView extends Error {
  override readonly name = 'StaleView';

  constructor(path: string, patienceMs: number, cause?: unknown) {
    super(
      `"${path}" is there and cannot be seen from here for ${patienceMs / 1000} s: is the file system mounted as asked for?`,
      { cause },
    );
  }
}

/** The names in a folder as the server has them. None if there is no such folder. */
export async function namesIn(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (error) {
    if (isGone(error)) return new Set();
    throw error;
  }
}

/**
 * Runs `work` on `<root>/<name>` if the listings from `root` down have it; `name` may have several parts. Undefined if it is not
 * listed. If `work` finds nothing there (ENOENT, ESTALE), it is repeated for `patienceMs`, and then StaleView is thrown. With a
 * patience of 0 there is one look, and a file that cannot be opened yet counts as not listed.
 */
export async function whenListed<T>(
  root: string,
  name: string,
  work: (path: string) => Promise<T>,
  patienceMs = staleViewMs,
): Promise<T | undefined> {
  const path = join(root, name);
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      if (!(await isListed(root, name))) return undefined;
      return await work(path);
    } catch (error) {
      if (!isGone(error)) throw error;
      if (patienceMs === 0) return undefined;
      if (performance.now() >= until) throw new StaleView(path, patienceMs, error);
    }
    await sleep(pauseMs);
  }
}

/** Repeats `look` until `isThere`, for at most `patienceMs`. Returns what it saw last. With a patience of 0 it looks once. */
export async function lookUntil<T>(
  look: () => Promise<T>,
  isThere: (seen: T) => boolean,
  patienceMs: number,
): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (isThere(seen) || performance.now() >= until) return seen;
    await sleep(pauseMs);
  }
}

/** Types (statfs) of file systems that only this machine writes to. What it sees there is the truth. */
const ownTypes = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x2fc12fc1, // ZFS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
]);

/** How old this machine's view of `path` may be, ms. 0 on a disk of its own. */
export async function viewAgeMs(path: string): Promise<number> {
  try {
    return ownTypes.has((await statfs(path)).type) ? 0 : staleViewMs;
  } catch (error) {
    if (isGone(error)) return staleViewMs;
    throw error;
  }
}

/** The file's size, asked for after a read. Before a read some clients (FUSE) answer from memory, and read no further than that. */
export async function freshSize(file: FileHandle): Promise<number> {
  await readFrom(file, 0, 1);
  return (await file.stat()).size;
}

/** From `start` to the end of the file, at most `maxBytes`. */
export async function readFrom(file: FileHandle, start: number, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let read = 0; read < maxBytes;) {
    const part = Buffer.allocUnsafe(Math.min(maxBytes - read, 64 * 1024));
    const { bytesRead } = await file.read(part, 0, part.length, start + read);
    if (bytesRead === 0) break;
    parts.push(part.subarray(0, bytesRead));
    read += bytesRead;
  }
  return Buffer.concat(parts);
}

async function isListed(root: string, name: string): Promise<boolean> {
  let folder = root;
  for (const part of name.split('/')) {
    const names = folder === root ? await namesIn(root) : await listed(folder);
    if (!names.has(part)) return false;
    folder = join(folder, part);
  }
  return true;
}

/** Names in a folder that its parent's listing has. None if it is no folder. */
async function listed(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return new Set();
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ESTALE';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
