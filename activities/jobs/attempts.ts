/**
 * Attempts on disk: the folder of one try of one job, written before anything is sent to Slurm, and the artifact that is made from it when
 * it has completed. Everything that a job left there is distrusted and checked with zod.
 *
 * kill -9 while preparing: files are replaced atomically, and the activity is run again. While publishing: the output may be in `publish/`
 * already, or the artifact may be there. The next try sees both and goes on from there.
 */
import { chown, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type AttemptChanges, attemptParams, type JobOrder } from '../../domain/jobs/job-spec.ts';
import type { AttemptInput, PreparedAttempt } from '../../domain/jobs/job-life.ts';
import type { ArtifactRef, AttemptManifest } from '../../domain/manifest.ts';
import { cut, describeFault } from '../../domain/errors.ts';
import { attemptFiles, attemptName, jobKind, parseAttemptName, paths } from '../../domain/names.ts';

import { attemptDirectory } from './attempt-closing.ts';
import { readResult, readResultText } from './attempt-files.ts';
import { writeAttemptKey } from './attempt-key.ts';
import { stitchedMetrics } from './attempt-metrics.ts';
import { verifyBaseModel } from '../store/base-model.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { claimArtifact, freeArtifact, makerOf } from '../store/makers.ts';
import { stillMakes } from '../store/still-makes.ts';
import type { JobDeps } from './deps.ts';
import { refuse } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { hasCode, writeFileAtomic } from '../store/durable-file.ts';

export interface PublishJobInput {
  order: JobOrder;
  attempt: number;
  /** Names of all attempts so far, oldest first. Their metrics are stitched. */
  attempts: string[];
  gpuHours: number;
  seconds: number;
}

export function createAttemptActivities(deps: Pick<JobDeps, 'store' | 'job' | 'models'>) {
  const { store, job, models } = deps;
  return {
    /**
     * Creates the attempt's folder and writes `attempt.json`: the intent, before the POST. `elsewhere`: it does not, since another run has the claim by
     * now, or has made the artifact.
     */
    async prepareAttempt({ order, attempt, changes }: AttemptInput): Promise<PreparedAttempt> {
      requireReadableName(order, attempt);
      const elsewhere = await madeElsewhere(store, order, attempt);
      if (elsewhere !== undefined)
        return {
          name: attemptName(order.run, order.stage, attempt),
          directory: paths.attempt(store.root, order.run, order.stage, attempt),
          attempt,
          elsewhere,
        };
      if (order.baseModel !== undefined) {
        const model = { key: order.baseModel, path: order.model };
        await heartbeating('looking at the base model', () => verifyBaseModel(model, store.root, models));
      }
      const directory = paths.attempt(store.root, order.run, order.stage, attempt);
      await mkdir(directory, { recursive: true, mode: 0o750 });
      await writeAttemptKey(directory, order.key, changes);
      const manifest = attemptManifest(order, attempt, changes);
      await writeFileAtomic(join(directory, attemptFiles.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
      if (job.owner !== undefined) {
        for (const path of [directory, join(directory, attemptFiles.manifest)]) {
          await chown(path, job.owner.uid, job.owner.gid);
        }
      }
      return { name: manifest.name, directory, attempt };
    },

    /** Moves a completed attempt's output into the store: `model/` or `predictions.jsonl`, metrics, result. */
    async publishJob(input: PublishJobInput): Promise<ArtifactRef> {
      return heartbeating('publishing', async () => {
        const { stage, key, run } = input.order;
        const artifact = await publish(store, input);
        await freeArtifact(store.root, { stage, key }, run);
        return artifact;
      });
    },
  };
}

/**
 * A run that rested for long may have lost its claim (`still-makes.ts`). A first attempt has looked a moment ago. To claim is one rename: kill -9 after it
 * leaves the claim to this run, and the next try finds it.
 */
async function madeElsewhere(
  store: ArtifactStore,
  { run, stage, key, ingredients }: JobOrder,
  attempt: number,
): Promise<PreparedAttempt['elsewhere']> {
  const maker = await makerOf(store.root, { stage, key });
  if (maker === run || (maker === undefined && attempt === 1)) return undefined;
  return heartbeating('who makes it', async () => {
    const heldBy = await claimArtifact(store.root, { stage, key }, run, (one) => stillMakes(one, stage));
    const { artifact } = await store.find(stage, ingredients);
    if (artifact === undefined) return heldBy === run ? undefined : { heldBy };
    if (heldBy === run) await freeArtifact(store.root, { stage, key }, run);
    return { artifact };
  });
}

/**
 * The cancel and the reaper read run and stage back from a job's name. A run whose id ends like a stage (`foo-sft`) would be taken
 * for another one, so it gets no job.
 */
function requireReadableName({ run, stage }: AttemptInput['order'], attempt: number): void {
  const name = attemptName(run, stage, attempt);
  const read = parseAttemptName(name);
  if (read?.run === run && read.stage === stage && read.attempt === attempt) return;
  throw refuse(
    'ConfigInvalid',
    describeFault({
      field: 'run',
      value: run,
      expected: `an id that can be read back from the job's name "${cut(name)}"`,
    }),
  );
}

async function publish(
  store: ArtifactStore,
  { order, attempt, attempts, gpuHours, seconds }: PublishJobInput,
): Promise<ArtifactRef> {
  const found = await store.find(order.stage, order.ingredients);
  if (found.artifact !== undefined) return { ...found.artifact, reused: false };
  const directory = paths.attempt(store.root, order.run, order.stage, attempt);
  const from = join(directory, 'publish');
  await mkdir(from, { recursive: true, mode: 0o750 });
  await moveOutput(order, directory, from);
  const folders = attempts.map((name) => attemptFolder(store.root, name));
  await writeFileAtomic(join(from, attemptFiles.metrics), await stitchedMetrics(folders));
  await writeFileAtomic(join(from, attemptFiles.result), await readResultText(directory));
  const result = await readResult(directory);
  return store.publish({
    stage: order.stage,
    key: order.key,
    ingredients: order.ingredients,
    from,
    counts: { steps: result?.steps_done ?? 0, rows: result?.rows ?? 0, attempts: attempts.length },
    cost: { gpu_hours: gpuHours, seconds },
    run: order.run,
    attempts,
  });
}

/** What the trainer reads. A test holds it against the schema that the trainer checks, tests/golden/attempt.schema.json. */
export function attemptManifest(order: JobOrder, attempt: number, changes: AttemptChanges): AttemptManifest {
  return {
    schema: 1,
    name: attemptName(order.run, order.stage, attempt),
    run: order.run,
    stage: order.stage,
    attempt,
    kind: jobKind(order.stage),
    model: order.model,
    inputs: order.inputs,
    resume_from: changes.resumeFrom,
    seed: order.seed,
    threads: order.threads,
    planned: order.planned,
    engine: order.engine,
    params: attemptParams(order, changes),
  };
}

/** The folder `output` becomes `model`, or `tokenized`. Of predictions its one file is taken. A second call finds it moved. */
async function moveOutput(order: JobOrder, directory: string, from: string): Promise<void> {
  const output = join(directory, attemptFiles.output);
  const kind = jobKind(order.stage);
  const [source, target] =
    kind === 'predict'
      ? [join(output, 'predictions.jsonl'), join(from, 'predictions.jsonl')]
      : [output, join(from, kind === 'tokenize' ? 'tokenized' : 'model')];
  try {
    await rename(source, target);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await stat(target);
  }
}

function attemptFolder(root: string, name: string): string {
  const directory = attemptDirectory(root, name);
  if (directory === undefined) throw new Error(`"${name}" is not the name of an attempt`);
  return directory;
}
