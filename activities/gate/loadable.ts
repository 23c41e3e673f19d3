/**
 * Loadable champions: `<store>/champions/<name>/000007/`, a folder that transformers, vLLM and LLaMA-Factory load as it is: the model's files and
 * a model card. The files are links to those of the artifact, so they take no space and stay whole if it is removed.
 *
 * It is made under a temporary name and renamed, so it is there whole or not at all. kill -9 before the rename leaves a `.tmp` that `artifacts gc`
 * removes; the activity is tried again. Two at once: one rename wins. Folders of versions that are neither among the last two nor the reference
 * are removed, since `artifacts gc` could not free their bytes; a rollback makes one anew.
 */
import { randomUUID } from 'node:crypto';
import { link, lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { ArtifactManifest } from '../../domain/manifest.ts';
import { type ModelCard, modelCard } from '../../domain/evaluation/model-card.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { stageGraph } from '../../domain/stage-graph.ts';
import { isJobStage, type Stage } from '../../domain/names.ts';
import { readEvaluation } from '../evaluation/evaluation-file.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { hasCode, syncFolder } from '../store/durable-file.ts';
import type { Champion } from './champion-file.ts';

const cardName = 'README.md';

/** Where the folder of a version is. */
export function loadablePath(folder: string, version: number): string {
  return join(folder, String(version).padStart(6, '0'));
}

/** Makes the folder of the newest champion, if it is not there. `plan` is of the champion's run. */
export async function makeLoadable(
  store: ArtifactStore,
  folder: string,
  name: string,
  champion: Champion,
  plan: RunPlan,
): Promise<string> {
  const path = loadablePath(folder, champion.version);
  if ((await lstat(path).catch(ignoreMissing)) !== undefined) return path;
  const card = modelCard(await cardOf(store, name, champion, plan));
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await linkFiles(join(champion.model.path, 'model'), temporary);
    await rm(join(temporary, cardName), { force: true });
    await writeFile(join(temporary, cardName), card, { flag: 'wx', flush: true });
    await syncFolder(temporary);
    await rename(temporary, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST') && !hasCode(error, 'ENOTEMPTY')) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await syncFolder(folder);
  await removeOld(folder, champion);
  return path;
}

/** Every folder that it makes is synced: after the rename a power failure leaves none of them empty. */
async function linkFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o750 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkFiles(source, target);
    else if (entry.isFile()) await link(source, target);
  }
  await syncFolder(to);
}

async function removeOld(folder: string, { version, reference }: Champion): Promise<void> {
  for (const name of await readdir(folder)) {
    const number = /^(\d{6,})$/.exec(name)?.[1];
    if (number === undefined || Number(number) >= version - 1 || Number(number) === reference.version) continue;
    const doomed = join(folder, `${name}.${randomUUID()}.tmp`);
    await rename(join(folder, name), doomed).catch(ignoreMissing);
    await rm(doomed, { recursive: true, force: true });
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}

/** What a manifest's ingredients tell of a job, as far as it is known. */
const ingredientsSchema = z.looseObject({
  params: z.record(z.string(), z.unknown()).default({}),
  model: z.string().optional(),
  inputs: z.record(z.string(), z.string().nullable()).default({}),
  engine: z.looseObject({ name: z.string(), versions: z.record(z.string(), z.string()).default({}) }).optional(),
});

async function cardOf(store: ArtifactStore, name: string, champion: Champion, plan: RunPlan): Promise<ModelCard> {
  const { predict, prompt } = plan.recipe;
  const made = await history(store, plan, champion.model.key);
  const dataset = await datasetOf(store, made);
  return {
    champion: name,
    version: champion.version,
    run: champion.run,
    decidedAt: champion.decided_at,
    ...(champion.by !== undefined && { by: { name: champion.by.name, reason: champion.by.reason } }),
    reasons: champion.decision.reasons,
    baseModel: plan.recipe.base_model,
    prompt,
    prefill: predict.prefill ?? '',
    maxNewTokens: predict.max_new_tokens,
    evaluation: await readEvaluation(champion.evaluation.path),
    counts: dataset?.counts ?? {},
    made: made.map(({ manifest, ingredients }) => ({
      stage: manifest.stage,
      key: manifest.key,
      engine: ingredients.engine?.name ?? 'an unknown engine',
      versions: Object.entries(ingredients.engine?.versions ?? {})
        .map(([what, version]) => `${what} ${version}`)
        .join(', '),
      params: ingredients.params,
    })),
    keys: {
      evaluation: champion.evaluation.key,
      predictions: champion.predictions.key,
      ...(dataset && { dataset: dataset.key }),
    },
  };
}

interface Made {
  manifest: ArtifactManifest;
  ingredients: z.output<typeof ingredientsSchema>;
}

/** Manifests of the jobs that made the model, first to last: each names the key of the model that it began from. */
async function history(store: ArtifactStore, plan: RunPlan, key: string): Promise<Made[]> {
  const found: Made[] = [];
  const stages = stageGraph(plan.recipe);
  let [stage, wanted]: [Stage | undefined, string | undefined] = ['grpo', key];
  while (stage !== undefined && wanted !== undefined) {
    const manifest: ArtifactManifest | undefined = await store.peek(stage, wanted);
    if (manifest === undefined) break;
    const ingredients = ingredientsSchema.safeParse(manifest.ingredients).data ?? { params: {}, inputs: {} };
    found.unshift({ manifest, ingredients });
    const node = stages.find(({ name }) => name === stage);
    const before: string | undefined = node !== undefined && 'model' in node ? node.model : undefined;
    stage = before !== undefined && isJobStage(before) ? before : undefined;
    wanted = ingredients.model;
  }
  return found;
}

async function datasetOf(store: ArtifactStore, made: readonly Made[]): Promise<ArtifactManifest | undefined> {
  const key = made.map(({ ingredients }) => ingredients.inputs['dataset']).find((one) => typeof one === 'string');
  return key === undefined || key === null ? undefined : store.peek('dataset', key);
}
