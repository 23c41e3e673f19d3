/**
 * Survey: what there is in a store that could be removed, with its size. It only reads. What vanishes meanwhile is left out. Links are not followed.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { attemptFiles, isJobStage, isStage, type JobStage, paths } from '../../domain/names.ts';
import { type KnownArtifact, type KnownCheckpoint } from '../../domain/keeping/retention.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { findJson, listCheckpoints } from '../jobs/attempt-files.ts';
import { findAttemptKey } from '../jobs/attempt-key.ts';
import { readMetrics } from '../jobs/attempt-metrics.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { hasCode } from '../store/durable-file.ts';
import { modifiedAt } from './roots.ts';

/** All artifacts, and when each was last used: `find` marks its manifest. */
export async function artifactsIn(store: ArtifactStore): Promise<KnownArtifact[]> {
  const found: KnownArtifact[] = [];
  for (const stage of [...(await namesIn(join(store.root, 'artifacts')))].filter(isStage)) {
    for (const key of await store.keys(stage)) {
      const usedAt = await modifiedAt(paths.artifactManifest(store.root, stage, key));
      const manifest = usedAt === undefined ? undefined : await store.peek(stage, key);
      if (usedAt === undefined || manifest === undefined) continue;
      const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
      found.push({ stage, key, bytes, usedAt, ingredients: manifest.ingredients });
    }
  }
  return found;
}

/** All attempts of one stage of a run. */
export interface StageAttempts {
  run: string;
  stage: JobStage;
  attempts: { directory: string; attempt: number; key?: string; isOver: boolean }[];
}

export async function attemptsIn(root: string): Promise<StageAttempts[]> {
  const found: StageAttempts[] = [];
  for (const run of await namesIn(join(root, 'runs'))) {
    const jobs = join(root, 'runs', run, 'jobs');
    for (const stage of [...(await namesIn(jobs))].filter(isJobStage)) {
      const attempts = [];
      for (const name of await namesIn(join(jobs, stage))) {
        const number = /^a([1-9]\d*)$/.exec(name)?.[1];
        if (number === undefined) continue;
        const directory = join(jobs, stage, name);
        const key = await findAttemptKey(directory);
        const isOver = (await namesIn(directory)).has(attemptFiles.outcome);
        const known = key.kind === 'read' ? { key: key.value.key } : {};
        attempts.push({ directory, attempt: Number(number), isOver, ...known });
      }
      found.push({ run, stage, attempts: attempts.toSorted((a, b) => a.attempt - b.attempt) });
    }
  }
  return found;
}

/** Complete checkpoints of all attempts, with what the dev split said of each, where the engine asks it. */
export async function checkpointsOf({ attempts }: StageAttempts): Promise<KnownCheckpoint[]> {
  const found: KnownCheckpoint[] = [];
  for (const { directory, attempt } of attempts) {
    const listed = await listCheckpoints(directory);
    if (listed.length === 0) continue;
    const scores = new Map((await readMetrics(directory)).map((row) => [row.step, row['validation_reward']]));
    for (const path of listed) {
      const step = Number(/\d+$/.exec(path)?.[0]);
      const score = scores.get(step);
      found.push({ path, attempt, step, ...(typeof score === 'number' ? { score } : {}) });
    }
  }
  return found;
}

const resuming = z.looseObject({ resume_from: z.string().nullable() });

/** Checkpoints from which the newest attempt of each stage goes on. */
export async function checkpointsInUse(all: readonly StageAttempts[]): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for (const { attempts } of all) {
    const newest = attempts.at(-1);
    if (newest === undefined) continue;
    const manifest = await findJson(newest.directory, attemptFiles.manifest, resuming, 0);
    if (manifest.kind === 'read' && manifest.value.resume_from !== null) used.add(manifest.value.resume_from);
  }
  return used;
}

/** Where what a killed process has begun may lie, and by what name. */
const leftBy =
  /\.corrupt-\d+$|\.tmp$|\.tmp-[0-9a-f-]{36}$|^(?:holder)?\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^try-[0-9a-f-]{36}$/;
/** Folders whose entries are looked at, as deep as said. What is in an artifact or in a job's output is not ours to judge. */
export const places: readonly [folder: string, depth: number][] = [
  ['artifacts', 2],
  ['partial', 3],
  ['models', 2],
  ['code', 1],
  ['champions', 2],
  ['makers', 1],
  ['turns', 3],
  ['pins', 1],
  ['notices', 2],
  ['nights', 2],
  // Down to what lies in an attempt's own folder: runs/<run>/jobs/<stage>/a<n>/.
  ['runs', 5],
  ['experiments', 2],
  ['scores', 2],
  ['evaluations', 2],
  // nights.html and nights.json are beside the folders.
  ['.', 1],
];

/** What crashes have left, untouched since `before` (ms): paths. */
export async function leftoversIn(root: string, before: number): Promise<string[]> {
  const found: string[] = [];
  const look = async (folder: string, depth: number): Promise<void> => {
    for (const name of await foldersAndFiles(folder)) {
      const path = join(folder, name);
      if (leftBy.test(name)) {
        const at = await modifiedAt(path);
        if (at !== undefined && at < before) found.push(path);
      } else if (depth > 1) await look(path, depth - 1);
    }
  };
  for (const [folder, depth] of places) await look(join(root, folder), depth);
  return found;
}

async function foldersAndFiles(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || hasCode(error, 'ESTALE')) return [];
    throw error;
  }
}

/** Bytes of all files in it. */
export async function bytesOf(path: string): Promise<number> {
  let sum = 0;
  for (const one of [path, ...(await below(path))]) {
    try {
      const stats = await lstat(one);
      if (stats.isFile()) sum += stats.size;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return sum;
}

async function below(path: string): Promise<string[]> {
  try {
    return (await readdir(path, { recursive: true })).map((name) => join(path, name));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

/** What jobs leave in an attempt's folder beside logs and numbers: large, and of no use once nobody goes on from it. */
export async function scratchOf(directory: string): Promise<string[]> {
  const names = [...(await namesIn(directory))];
  return names
    .filter((name) => /^(?:output|publish|work|checkpoints|answered|ray|caches-\d+)$/.test(name))
    .map((name) => join(directory, name));
}
