/** What the attempts of a run have left: jobs, how they ended, their logs' sizes, complete checkpoints. It only reads. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import type { AttemptSummary, CheckpointSummary } from '../../domain/inquiries.ts';
import { engineNames } from '../../domain/engines/registry.ts';
import { attemptFiles, isJobStage, type JobStage, parseAttemptName, paths } from '../../domain/names.ts';
import { namesIn, whenListed } from '../../files/fresh-look.ts';
import { findJson, findOutcome, listCheckpoints } from '../jobs/attempt-files.ts';
import { findAttemptKey } from '../jobs/attempt-key.ts';
import { canGoOn } from '../jobs/collecting.ts';
import { submittedJobId } from '../jobs/submission.ts';
import { attemptsOf } from '../resuming/earlier-runs.ts';
import type { StoreDeps } from '../store/deps.ts';
import { type Answerer, jobStage, runName } from './answerer.ts';

/** What of an attempt's manifest says from which checkpoints it can go on. */
const planned = z.object({
  planned: z.object({ steps: z.number().nullable() }),
  engine: z.object({ name: z.enum(engineNames) }),
});

/** A page of the reply holds so many. */
const most = 200;

export function answerAttempts({ store }: StoreDeps): Answerer<'attempts'> {
  return {
    input: z.strictObject({ run: runName, stage: jobStage.nullable() }),
    answer: async ({ run, stage }) => {
      const found: AttemptSummary[] = [];
      for (const one of await foldersOf(store.root, run, stage)) found.push(await summaryOf(one));
      return { attempts: found.toSorted(byTime).slice(-most) };
    },
  };
}

export function answerCheckpoints({ store }: StoreDeps): Answerer<'checkpoints'> {
  return {
    input: z.strictObject({ run: runName }),
    answer: async ({ run }) => {
      const found: CheckpointSummary[] = [];
      /** By stage: of later attempts the one that was saved last, as a resume takes it. */
      const taken = new Map<JobStage, CheckpointSummary>();
      for (const { stage, attempt, directory } of await foldersOf(store.root, run, null)) {
        const read = await findAttemptKey(directory);
        const key = read.kind === 'read' ? read.value.key : null;
        const plan = await findJson(directory, attemptFiles.manifest, planned, 0);
        // Another key is another artifact, which goes on from nothing that was before.
        if (taken.get(stage)?.key !== key) taken.delete(stage);
        for (const path of await listCheckpoints(directory)) {
          const step = Number(basename(path).slice('checkpoint-'.length));
          const { bytes, savedAt } = await sizeOf(path);
          const one = { stage, attempt, step, bytes, savedAt, path, key, resumes: false };
          found.push(one);
          if (key !== null && plan.kind === 'read' && canGoOn(plan.value, path)) taken.set(stage, one);
        }
      }
      for (const [stage, one] of taken) one.resumes = (await store.peek(stage, one.key ?? '')) === undefined;
      return { checkpoints: found.toSorted((a, b) => a.savedAt.localeCompare(b.savedAt)).slice(-most) };
    },
  };
}

interface AttemptFolder {
  stage: JobStage;
  attempt: number;
  name: string;
  directory: string;
}

/** Folders of a run's attempts, by stage and number. None for a run that the store does not know. */
export async function foldersOf(root: string, run: string, stage: JobStage | null): Promise<AttemptFolder[]> {
  const stages = stage === null ? [...(await namesIn(`${paths.run(root, run)}/jobs`))].filter(isJobStage) : [stage];
  const found: AttemptFolder[] = [];
  for (const one of stages) {
    for (const { name, directory } of await attemptsOf(root, run, one)) {
      found.push({ stage: one, attempt: parseAttemptName(name)?.attempt ?? 0, name, directory });
    }
  }
  return found;
}

/** An outcome that is listed and cannot be read yet counts as absent: the next look has it. */
async function summaryOf({ stage, attempt, directory }: AttemptFolder): Promise<AttemptSummary> {
  const found = await findOutcome(directory, 0);
  const outcome = found.kind === 'read' ? found.value : undefined;
  const logBytes = await whenListed(directory, attemptFiles.log, async (path) => (await stat(path)).size, 0);
  return {
    stage,
    attempt,
    jobId: outcome?.job_id ?? (await submittedJobId(directory)) ?? null,
    host: outcome?.host ?? null,
    exitCode: outcome?.exit_code ?? null,
    startedAt: outcome?.started_at ?? null,
    endedAt: outcome?.ended_at ?? null,
    logBytes: logBytes ?? 0,
  };
}

/** Ended ones first, by their beginning; then those that go on, by the number of their job. */
function byTime(a: AttemptSummary, b: AttemptSummary): number {
  if (a.startedAt !== null && b.startedAt !== null) return a.startedAt < b.startedAt ? -1 : 1;
  if ((a.startedAt === null) !== (b.startedAt === null)) return a.startedAt === null ? 1 : -1;
  return Number(a.jobId ?? Infinity) - Number(b.jobId ?? Infinity);
}

/** Bytes of all files below, and when the folder got its name. A checkpoint that is deleted meanwhile has fewer. */
async function sizeOf(path: string): Promise<{ bytes: number; savedAt: string }> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return { bytes, savedAt: (await stat(path)).mtime.toISOString() };
}
