/**
 * Closing an attempt: we take its claim (docs/ARCHITECTURE.md), so that no job can begin it any more. Slurm can start a job long after we
 * believed it to be over: a slurmctld that was killed before it had saved the job's end starts it again, and one that stood still creates
 * it late. Such a job finds the claim taken and exits at once. A job that has begun is not touched.
 *
 * Side effect: `claim/` in the attempt's folder. kill -9 before: the next try makes it. After: it is there, and the next try finds it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { attemptFiles, parseAttemptName, paths } from '../../domain/names.ts';
import { hasCode } from '../store/durable-file.ts';

/**
 * `closed`: no job has begun it, and none will. `begun`: the claim was there already, made by a job or by an earlier closing. `absent`: no
 * such folder is seen, because none was made or this machine's view of a shared file system is old. Throws system errors of the store.
 */
export async function closeAttempt(directory: string): Promise<'closed' | 'begun' | 'absent'> {
  try {
    await mkdir(join(directory, attemptFiles.claim), { mode: 0o700 });
    return 'closed';
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return 'begun';
    if (hasCode(error, 'ENOENT')) return 'absent';
    throw error;
  }
}

/** Folder of the attempt of this name. Undefined if that is no name of an attempt. */
export function attemptDirectory(root: string, name: string): string | undefined {
  const parsed = parseAttemptName(name);
  return parsed === undefined ? undefined : paths.attempt(root, parsed.run, parsed.stage, parsed.attempt);
}
