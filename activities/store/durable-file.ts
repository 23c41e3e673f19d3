/**
 * Durable files: how this project writes to disk, so that a kill -9 or a power cut leaves the old content or the new, and never half of it. It
 * knows nothing of artifacts or jobs.
 */
import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { freshSize, readFrom, whenListed } from '../../files/fresh-look.ts';
import { FileFault, withRegularFile } from '../../files/regular-file.ts';

const maxTextBytes = 64 * 1024 * 1024;

/** Replaces `path` with `content`: temporary file beside it, fsync, rename, fsync of the folder. */
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

/** Removes from `folder` what `writeFileAtomic` left there when it was killed. */
export async function removeTemporaries(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) =>
    /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/.test(name),
  );
  for (const name of left) await rm(join(folder, name), { force: true });
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

/**
 * Content of a text file, or undefined if there is none. Another machine may have written it, so it is looked for in its folder's listing and
 * read to its end as the file server has it. Throws FileFault if it is no regular file, or larger than 64 MiB.
 */
export async function readIfPresent(path: string): Promise<string | undefined> {
  return whenListed(dirname(path), basename(path), (at) =>
    withRegularFile(at, async (file) => {
      const size = await freshSize(file);
      if (size > maxTextBytes) throw new FileFault(at, `a text of at most ${maxTextBytes} bytes`, `${size} bytes`);
      return (await readFrom(file, 0, maxTextBytes)).toString('utf8');
    }),
  );
}

/** Is `error` a system error with this code, e.g. `ENOENT`? */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
