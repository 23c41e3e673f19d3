/**
 * Disk: what trainings will need in the store for their checkpoints and their models, against what is free there. A disk that fills up in the
 * night would cost the night. It reads only headers of the base model's weights.
 */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { amountOfBytes, bytesNeeded, checkpointSize } from '../../domain/estimate/checkpoint-size.ts';
import { describeFault } from '../../domain/errors.ts';
import type { DiskEstimate } from '../../domain/estimate/estimate.ts';
import { keyedParams } from '../../domain/jobs/job-spec.ts';
import { canonicalJson } from '../../domain/manifest.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { isJob, type JobNode, stageGraph } from '../../domain/stage-graph.ts';

import { refuse } from '../failure.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import type { ModelFolders } from '../store/base-model.ts';
import { hasCode } from '../store/durable-file.ts';
import { countParameters } from '../store/model-check.ts';
import { listModelFiles } from '../store/model-files.ts';

const field = 'recipe.base_model';

/** What these jobs need. Those whose size cannot be foretold are left out. */
export async function estimateDisk(
  jobs: readonly JobNode[],
  { base_model: model }: Pick<Recipe, 'base_model'>,
  { root, models }: { root: string; models: ModelFolders },
): Promise<DiskEstimate> {
  const files = await listModelFiles(model, [...models.roots, ...models.caches], field);
  const parameters = await countParameters(files, field);
  const needs = jobs.flatMap(({ name: stage, engine, params, resources }) => {
    const size = checkpointSize(engine, params, { parameters, onGpu: resources.gpus_per_node > 0 });
    return size === undefined ? [] : [{ stage, parameters, size }];
  });
  return { free: await freeBytes(root), jobs: needs };
}

/** `ConfigInvalid` if a job needs more than is free: it could not end. Several together may well: the plan warns of it. */
export function checkDisk({ free, jobs }: DiskEstimate, root: string): void {
  const [largest] = jobs.toSorted((a, b) => bytesNeeded(b.size) - bytesNeeded(a.size));
  if (largest === undefined || bytesNeeded(largest.size) <= free) return;
  const { stage, parameters, size } = largest;
  const parts = `${size.checkpoints} checkpoints of ${amountOfBytes(size.checkpoint)} and a model of ${amountOfBytes(size.model)}`;
  const expected = `${amountOfBytes(bytesNeeded(size))} free for ${stage} of ${parameters} parameters (${parts})`;
  const fault = { field: `CRITIC_STORE ("${root}")`, value: amountOfBytes(free), expected };
  throw refuse('ConfigInvalid', describeFault(fault));
}

/**
 * The trainings of a run before their keys are known. One is left out if the store has an artifact of the same stage, parameters and seed: it
 * is probably reused, and then needs nothing.
 */
export async function trainingsToCome(store: ArtifactStore, recipe: Recipe): Promise<JobNode[]> {
  const coming: JobNode[] = [];
  for (const node of stageGraph(recipe)) if (isJob(node) && !(await hasLike(store, node))) coming.push(node);
  return coming;
}

async function hasLike(store: ArtifactStore, { name, engine, params, seed }: JobNode): Promise<boolean> {
  const asked = canonicalJson(keyedParams(engine, params));
  for (const key of await store.keys(name)) {
    const ingredients = (await store.peek(name, key))?.ingredients;
    if (ingredients?.['seed'] === seed && canonicalJson(ingredients['params']) === asked) return true;
  }
  return false;
}

/** Bytes that a user without privileges may still write below `path`, or, if that is not there yet, where it will be. */
async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error;
    return freeBytes(dirname(path));
  }
}
