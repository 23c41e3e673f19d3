/** What a folder holds: regular files, and what nobody can publish. A job's output is distrusted: links are not followed. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { kindOf } from '../../files/regular-file.ts';

/** Paths below the folder, sorted. `faults`: one clause for each link, pipe, socket or device. */
export interface FolderFiles {
  files: string[];
  faults: string[];
}

/** Looks at the whole folder, folders below it included. */
export async function listFiles(folder: string): Promise<FolderFiles> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const below = (entry: Dirent) => join(entry.parentPath, entry.name).slice(folder.length + 1);
  const strangers = entries.filter((entry) => !entry.isFile() && !entry.isDirectory());
  return {
    files: entries
      .filter((entry) => entry.isFile())
      .map(below)
      .toSorted(),
    faults: strangers.map((entry) => `"${below(entry)}" is ${kindOf(entry)}`).toSorted(),
  };
}
