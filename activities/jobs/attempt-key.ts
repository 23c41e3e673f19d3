/**
 * `key.json` of an attempt: the key of the artifact that it is to make, and what it was given beside the recipe. A later run that needs the same
 * artifact finds by it what it may go on from. The job does not read it. It lies in a folder of the job's user, so it is read with distrust.
 *
 * kill -9 before: the attempt is prepared again. After: it is replaced by the same content.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { attemptFiles } from '../../domain/names.ts';
import { findJson, type Found } from './attempt-files.ts';
import { writeFileAtomic } from '../store/durable-file.ts';

const attemptKey = z.object({
  schema: z.literal(1),
  key: z.string().regex(/^[0-9a-z-]{1,64}$/),
  /** In the bounds of an operator's answer (domain/operator-answer.ts). */
  changes: z.object({
    memoryFactor: z.number().positive().max(64),
    timeLimitMinutes: z.int().min(1).max(525_600).nullable(),
    microBatchHalvings: z.int().min(0).max(30),
  }),
});
export type AttemptKey = z.output<typeof attemptKey>;

export async function writeAttemptKey(directory: string, key: string, changes: AttemptKey['changes']): Promise<void> {
  const { memoryFactor, timeLimitMinutes, microBatchHalvings } = changes;
  const value: AttemptKey = { schema: 1, key, changes: { memoryFactor, timeLimitMinutes, microBatchHalvings } };
  await writeFileAtomic(join(directory, attemptFiles.key), `${JSON.stringify(value)}\n`);
}

/** Absent for an attempt of a release that wrote none. */
export function findAttemptKey(directory: string): Promise<Found<AttemptKey>> {
  return findJson(directory, attemptFiles.key, attemptKey, 0);
}
