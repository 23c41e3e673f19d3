/**
 * Try folders: an artifact's content is put together in one before the store publishes it by a rename. Each try has its own folder, so two runs
 * that need the same key do not meet. What a killed process left is removed after a day.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage } from '../../domain/names.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { hasCode } from './durable-file.ts';

const prefix = 'try-';
const staleMs = 24 * 60 * 60_000;

/** A new empty folder below the artifact's partial folder. */
export async function tryFolder(store: ArtifactStore, stage: Stage, key: string): Promise<string> {
  const partial = await store.partial(stage, key);
  for (const name of await readdir(partial)) {
    if (name.startsWith(prefix)) await removeIfStale(join(partial, name));
  }
  const folder = join(partial, `${prefix}${randomUUID()}`);
  await mkdir(folder);
  return folder;
}

async function removeIfStale(path: string): Promise<void> {
  try {
    if (Date.now() - (await stat(path)).mtimeMs > staleMs) await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
