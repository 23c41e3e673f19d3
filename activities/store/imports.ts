/**
 * Imports: what a run needs beside its dataset: the trainer's code, the base model, and the versions of the engine that will run both. The code is
 * copied into the store by content, so a job runs the code that its artifact's key names, whatever happens to the checkout.
 */
import { isDeepStrictEqual } from 'node:util';
import { Context } from '@temporalio/activity';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { Recipe } from '../../domain/recipe.ts';
import type { Limit } from '../../domain/keeping/turns.ts';
import { enginesIn } from '../../domain/stage-graph.ts';
import { checkDisk, estimateDisk, trainingsToCome } from '../estimate/disk.ts';
import { checkPlacement, type ClusterSource } from '../estimate/placement-check.ts';
import { checkSettings } from '../estimate/preflight.ts';
import { copyFiles, isWhole } from './imported-folder.ts';
import { type BaseModel, importBaseModel, type ModelFolders, readBaseModel } from './base-model.ts';
import type { StoreDeps } from './deps.ts';
import { type Engines, findEngines } from './engine.ts';
import type { EngineSource } from './environments.ts';
import { translated } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { writePlan } from '../resuming/run-plans.ts';
import { listModelFiles, type ModelFile, sha256Of, sumsOf } from './model-files.ts';

export interface PreparedRun {
  /** Folder to put on PYTHONPATH. Its last segment is the code's hash. */
  trainer: string;
  baseModel: BaseModel;
  engines: Engines;
  /** Limits of the worker's config. Absent: none. */
  limits?: Limit[];
  /** Where pages of the store are served, for links; null: nowhere. Absent: a worker of an earlier release imported it. */
  pages?: string | null;
}

export interface ImportDeps extends StoreDeps {
  /** Asked which partitions there are. Undefined: they are not looked at. */
  slurm?: ClusterSource;
  models: ModelFolders;
  /** Of the worker's config. */
  limits?: readonly Limit[];
  job: EngineSource & {
    /** Folder with the package `critic_trainer`, which is copied into the store by content. */
    trainerSource: string;
  };
}

export function createImportActivities({ store, job, models, slurm, pagesUrl, limits = [] }: ImportDeps) {
  return {
    /** Writes the plan beside the run, imports trainer code and base model, and asks the engine's versions. */
    async prepareRun({ plan }: { plan: RunPlan }): Promise<PreparedRun> {
      const signal = Context.current().cancellationSignal;
      return translated(`prepare run "${plan.run}"`, signal, () =>
        heartbeating('importing', async () => {
          await writePlan(store.root, plan, async (kept) => isDeepStrictEqual(kept, JSON.parse(JSON.stringify(plan))));
          const trainer = await importTrainer(job.trainerSource, store.root);
          const engines = await findEngines(job, trainer, enginesIn(plan.recipe));
          const baseModel = await importBaseModel(plan.recipe.base_model, store.root, models);
          await checkPlacement(plan, slurm);
          await checkSettings(plan, { trainer, engines, baseModel }, { root: store.root, job });
          const trainings = await trainingsToCome(store, plan.recipe);
          checkDisk(await estimateDisk(trainings, plan.recipe, { root: store.root, models }), store.root);
          return {
            trainer,
            engines,
            baseModel,
            pages: pagesUrl ?? null,
            ...(limits.length === 0 ? {} : { limits: [...limits] }),
          };
        }),
      );
    },
  };
}

/** The same keys and versions, without importing anything, for an estimate. */
export async function describeImports(recipe: Recipe, { store, job, models }: ImportDeps): Promise<PreparedRun> {
  const model = await readBaseModel(recipe.base_model, store.root, models);
  const code = await trainerCode(job.trainerSource);
  const engines = await findEngines(job, job.trainerSource, enginesIn(recipe));
  return { trainer: paths.trainerCode(store.root, code.key), baseModel: model, engines };
}

/** Copies the trainer's code into the folder that is named after its hash. A copy that does not fit its name is made again. */
export async function importTrainer(source: string, root: string): Promise<string> {
  const { files, key } = await trainerCode(source);
  const path = paths.trainerCode(root, key);
  const standing = async () => (await isWhole(path)) && (await trainerCode(path)).key === key;
  await copyFiles(files, path, standing);
  return path;
}

async function trainerCode(source: string): Promise<{ files: (ModelFile & { sha256: string })[]; key: string }> {
  const all = await listModelFiles(source, [], 'CRITIC_TRAINER_SOURCE');
  const files = [];
  for (const file of all) if (isTrainerCode(file.name)) files.push({ ...file, sha256: await sha256Of(file.path) });
  return { files, key: sumsOf(files).key };
}

/** Only the package's code: tests, caches and pre-training do not run inside jobs. */
function isTrainerCode(file: string): boolean {
  return file.startsWith('critic_trainer/') && file.endsWith('.py') && !/\/(pretrain|scenes|__pycache__)\//.test(file);
}
