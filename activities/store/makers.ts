/**
 * Makers: of all runs that need an artifact which is not there, one makes it, and the others wait for it. The folder `makers/<stage>-<key>` has one
 * empty file, named after the run that makes it. A claim holds as long as its run's workflow is open: Temporal is asked, no clock counts, and the
 * claim outlives workers and hosts.
 *
 * Each step is one rename or one unlink, which the file server does for one caller only. To claim: a folder that is not empty is not replaced. To take
 * over from a run that is over: a name that is gone is not renamed.
 *
 * kill -9 while it claims: a folder `.<token>` stays that nobody reads (`critic artifacts gc` removes it), or the claim stands and the run's next
 * try finds it. While it frees it: an empty folder stays, which is free. After it: nothing is left.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { paths, type Stage } from '../../domain/names.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { hasCode } from './durable-file.ts';

export interface Wanted {
  stage: Stage;
  key: string;
}

/** Does a run go on? */
export type IsOpen = (run: string) => Promise<boolean>;

/**
 * Claims the artifact for `run`. Returns the run that has it: `run` itself, or another one that is open. Asking again is harmless.
 */
export async function claimArtifact(root: string, wanted: Wanted, run: string, isOpen: IsOpen): Promise<string> {
  return claim(folderOf(root, wanted), run, isOpen);
}

/** The same for any folder whose file is named after its holder. Its parent folder is made. */
export async function claim(folder: string, name: string, isOpen: IsOpen): Promise<string> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o750 });
  for (;;) {
    const holder = await holderOf(folder);
    if (holder === name) return name;
    if (holder === undefined) {
      if (await claimed(folder, name)) return name;
    } else if (await isOpen(holder)) {
      return holder;
    } else if (await renamed(join(folder, holder), join(folder, name))) {
      return name;
    }
  }
}

/** The run that has claimed the artifact, whether it goes on or not. */
export async function makerOf(root: string, wanted: Wanted): Promise<string | undefined> {
  return holderOf(folderOf(root, wanted));
}

export async function holderOf(folder: string): Promise<string | undefined> {
  const [holder] = await namesIn(folder);
  return holder;
}

/** Frees the artifact, unless another run has claimed it. */
export async function freeArtifact(root: string, wanted: Wanted, run: string): Promise<void> {
  if ((await makerOf(root, wanted)) !== run) return;
  return free(folderOf(root, wanted), run);
}

/** Nothing happens if somebody else has it. */
export async function free(folder: string, name: string): Promise<void> {
  try {
    await unlink(join(folder, name));
    await rmdir(folder);
  } catch (error) {
    // Another try has freed it meanwhile, or another run has claimed it already.
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].some((code) => hasCode(error, code))) throw error;
  }
}

function folderOf(root: string, { stage, key }: Wanted): string {
  return join(paths.makers(root), `${stage}-${key}`);
}

/** False if somebody else was first. */
async function claimed(folder: string, run: string): Promise<boolean> {
  const own = join(dirname(folder), `.${randomUUID()}`);
  await mkdir(own, { mode: 0o750 });
  try {
    await writeFile(join(own, run), '', { mode: 0o640 });
    await rename(own, folder);
    return true;
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** False if `from` is gone. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
