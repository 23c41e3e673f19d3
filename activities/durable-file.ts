/**
 * Durable files: the few ways in which this project writes to disk so that a kill -9 or a power cut leaves the old
 * content or the new, never half of it. It knows nothing of artifacts or jobs.
 */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces `path` by `content`: temporary file beside it, fsync, rename, fsync of the folder. */
export async function writeFileAtomic(path: string, content: string, mode = 0o640): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch((unlinkError: unknown) => {
      if (!hasCode(unlinkError, 'ENOENT')) throw unlinkError;
    });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes renames and creations inside `folder` durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Content of a text file, or undefined if there is none. Every other failure is thrown. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Is `error` a system error with this code, e.g. `ENOENT`? */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
