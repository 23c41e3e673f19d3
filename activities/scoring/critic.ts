/** Which critic a scoring asks: the artifact that holds its model, and the plan of the run that made it, which says how it is asked. It only reads. */
import { WorkflowNotFoundError } from '@temporalio/common';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { isStage, paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { type ChosenCritic, criticInWords } from '../../domain/scoring/scoring.ts';
import { refuse } from '../failure.ts';
import { readChampions } from '../gate/champion-file.ts';
import { artifactsOf } from '../nights/digest.ts';
import { isNotFound, readPlan } from '../resuming/run-plans.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';

export interface FoundCritic {
  plan: RunPlan;
  artifact: ArtifactRef;
  /** For people, such as `champion demo, version 3 (run …)`. */
  words: string;
}

/** Refuses (`ConfigInvalid`) a champion or a run that is not there, has made no such model, or whose model does not verify. */
export async function findCritic(
  store: ArtifactStore,
  critic: ChosenCritic,
  signal: AbortSignal,
): Promise<FoundCritic> {
  const { plan, path, words } = await lookUpCritic(store, critic, signal);
  return { plan, artifact: await verified(store, path, words), words };
}

/** The same without a look at the model's files, which takes long: `path` is the folder of its artifact, `version` that of a champion. */
export async function lookUpCritic(
  store: ArtifactStore,
  critic: ChosenCritic,
  signal: AbortSignal,
): Promise<{ plan: RunPlan; path: string; words: string; version?: number }> {
  const found = 'champion' in critic ? await ofChampion(store, critic, signal) : await ofRun(critic);
  const { run, path, words, version } = found;
  const plan = await readPlan(store.root, run);
  if (plan === null)
    throw refuse(
      'ConfigInvalid',
      `${words}: expected the plan of run "${run}" in the store, which says how it is asked`,
    );
  if ((await store.artifactAt(path)) === undefined) throw gone(words, path);
  return { plan, path, words, ...(version === undefined ? {} : { version }) };
}

/** Where a critic's model is, the run that made it, and which version of the champion it is. */
interface Place {
  run: string;
  path: string;
  words: string;
  version?: number;
}

async function ofChampion(
  store: ArtifactStore,
  chosen: { champion: string; version?: number },
  signal: AbortSignal,
): Promise<Place> {
  const { champion, version: wanted } = chosen;
  const all = await readChampions(paths.champions(store.root, champion), signal, wanted);
  const found = wanted === undefined ? all.at(-1) : all.find((one) => one.version === wanted);
  if (found === undefined && all.length > 0)
    throw refuse(
      'ConfigInvalid',
      `champion "${champion}": expected its version ${wanted}, got none; its newest is ${all.at(-1)?.version}`,
    );
  if (found === undefined)
    throw refuse(
      'ConfigInvalid',
      `champion "${champion}": expected one of "critic champion show", got none of this name`,
    );
  const { run, version, model } = found;
  return { run, path: model.path, version, words: `champion ${champion}, version ${version} (run ${run})` };
}

async function ofRun(critic: Extract<ChosenCritic, { run: string }>): Promise<Place> {
  const { run, stage } = critic;
  const words = criticInWords(critic);
  const path = (await madeBy(run))[stage];
  if (path !== undefined) return { run, path, words };
  throw refuse('ConfigInvalid', `run "${run}": expected one that has made ${stage}, got one that has not`);
}

async function madeBy(run: string): ReturnType<typeof artifactsOf> {
  try {
    return await artifactsOf(run);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError || isNotFound(error))) throw error;
    throw refuse(
      'ConfigInvalid',
      `run "${run}": expected a run that Temporal knows ("critic runs"), got none of this id`,
    );
  }
}

/** Every file of the model is as it was published. It also tells the store that the model is in use. */
async function verified(store: ArtifactStore, path: string, words: string): Promise<ArtifactRef> {
  const manifest = await store.artifactAt(path);
  if (manifest !== undefined && isStage(manifest.stage)) {
    const { artifact } = await store.find(manifest.stage, manifest.ingredients);
    if (artifact !== undefined) return artifact;
  }
  throw gone(words, path);
}

function gone(words: string, path: string) {
  return refuse('ConfigInvalid', `${words}: expected its model in "${path}", got none that is whole`);
}
