/**
 * Imported folders: a copy whose name is the hash of its content, with a `SHA256SUMS` beside the files. Every file is flushed
 * before the one rename that makes the copy appear, so a power cut leaves all of it or nothing under that name.
 *
 * kill -9 before the rename leaves a `.tmp-…` folder that nobody reads. The next import after a day removes it. After the rename the copy is
 * there. On a full disk what was begun is removed. Two at once: the first rename wins.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { withRegularFile } from '../../files/regular-file.ts';
import { passing } from '../failure.ts';
import { hasCode, syncFolder } from './durable-file.ts';
import { type HashedFile, sumsName, sumsOf } from './model-files.ts';

const abandonedMs = 24 * 60 * 60 * 1000;
const partBytes = 1024 * 1024;

/** Copies `files` into `path`, unless `standing` says that a right copy is there. A wrong copy is set aside (`.corrupt-<n>`). */
export async function copyFiles(
  files: readonly HashedFile[],
  path: string,
  standing: () => Promise<boolean>,
): Promise<void> {
  if (await standing()) return;
  await mkdir(dirname(path), { recursive: true });
  await removeAbandoned(path);
  const temporary = `${path}.tmp-${randomUUID()}`;
  try {
    const folders = new Set([temporary]);
    await mkdir(temporary);
    for (const file of files) {
      const folder = dirname(join(temporary, file.name));
      await mkdir(folder, { recursive: true });
      for (let one = folder; one.startsWith(temporary); one = dirname(one)) folders.add(one);
      await copyFile(file, join(temporary, file.name));
    }
    await writeDurably(join(temporary, sumsName), [Buffer.from(sumsOf(files).text)]);
    for (const folder of folders) await syncFolder(folder);
    await moveInto(temporary, path, standing);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Is there a copy at all? It appears by one rename, with its `SHA256SUMS`. */
export async function isWhole(path: string): Promise<boolean> {
  try {
    return (await stat(join(path, sumsName))).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Hashes what it copies: if a source changes meanwhile, it must not be kept under its old name. */
async function copyFile(file: HashedFile, to: string): Promise<void> {
  const hash = createHash('sha256');
  await withRegularFile(file.path, (source) => {
    const parts = source.createReadStream({ autoClose: false, highWaterMark: partBytes });
    return writeDurably(to, parts, (part) => hash.update(part));
  });
  if (hash.digest('hex') === file.sha256) return;
  throw passing('DataChanged', `copy "${file.path}": it changed while it was copied`);
}

/** Not fs.copyFile: that keeps owner and mode of the source, and jobs read with the store's group. */
async function writeDurably(
  path: string,
  parts: AsyncIterable<Buffer> | Iterable<Buffer>,
  seen: (part: Buffer) => void = () => undefined,
): Promise<void> {
  const file = await open(path, 'wx', 0o640);
  try {
    for await (const part of parts) {
      seen(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveInto(temporary: string, path: string, standing: () => Promise<boolean>): Promise<void> {
  try {
    await rename(temporary, path);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
    // Somebody else's copy was first, or a wrong one is in the way.
    if (await standing()) return;
    await rename(path, `${path}.corrupt-${randomUUID()}`);
    await rename(temporary, path);
  }
  await syncFolder(dirname(path));
}

/** Removes what a killed import left. A copy in the making is younger. */
async function removeAbandoned(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.tmp-`)) continue;
    const old = join(dirname(path), name);
    if (Date.now() - (await stat(old)).mtimeMs > abandonedMs) await rm(old, { recursive: true, force: true });
  }
}
