/**
 * Estimating: what a run will reuse, ask, cost and take. It walks the keys of all stages and looks which artifacts and answers exist. The keys
 * follow from the recipe, the dataset, the base model, the trainer's code and its engine. It reads manifests and never verifies files: a
 * stage does that before it reuses anything.
 *
 * Side effect: `estimate.json` in the folder of a run, replaced atomically. An estimate without a run writes only what it hashed of the base
 * model (activities/store/model-files.ts).
 */
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import { ingredientsUnder } from '../../domain/anew.ts';
import { mixOrder } from '../../domain/critique/mix.ts';
import {
  estimateJob,
  estimateSynthesis,
  type MeasuredJob,
  type RunEstimate,
  type StageEstimate,
  type SynthesisEstimate,
  usualOutputTokens,
} from '../../domain/estimate/estimate.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { countsRows, recipeInRun, recipeOfRun, type Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { mixShares, teacherOf } from '../../domain/recipe/arms.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { type Counts, isJob, type JobNode, stageGraph, type StageNode } from '../../domain/stage-graph.ts';
import { readDatasetPairs, readImageSizes } from '../dataset/dataset.ts';
import { splits } from '../dataset/rows.ts';
import type { TeacherDeps } from '../teacher/accounts.ts';
import { translated } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { refuseLongPrompts } from '../records/prompt-lengths.ts';
import { readPixelLimits } from '../records/record-lengths.ts';
import { type ArtifactStore, artifactKey } from '../store/artifact-store.ts';
import { describeImports, type ImportDeps, type PreparedRun } from '../store/imports.ts';
import { answersIngredients, type TeacherIdentity } from '../synthesis/keys.ts';
import { SynthesisLog } from '../synthesis/log.ts';
import { requestTokens } from '../synthesis/question.ts';
import { judgeAlone } from '../synthesis/verdicts.ts';
import { writeEstimate } from './estimate-file.ts';
import { checkDisk, estimateDisk } from './disk.ts';
import { checkPlacement } from './placement-check.ts';
import { checkSettings } from './preflight.ts';
import { previewJobs } from './previews.ts';
import { type KeySources, runKeys } from './run-keys.ts';

export interface EstimateInput {
  plan: RunPlan;
  dataset: ArtifactRef;
  /** What a run has imported. Null: there is no run, and the estimate hashes model and code where they are. */
  imported: PreparedRun | null;
}

/** Fewer answers than this say little about how long a teacher's answers are. */
const enoughAnswers = 20;

export function createEstimateActivities(deps: ImportDeps & TeacherDeps) {
  const { store } = deps;
  return {
    /** What exists, what must be made, and what that will cost. */
    async estimateRun({ plan, dataset, imported }: EstimateInput): Promise<RunEstimate> {
      const signal = Context.current().cancellationSignal;
      return translated(`estimate run "${plan.run}"`, signal, async () => {
        const { recipe } = plan;
        const found = imported === null ? await heartbeating('hashing', () => describeImports(recipe, deps)) : imported;
        const settings = teacherOf(recipe);
        const teacher = settings && { datasetKey: dataset.key, baseUrl: deps.llm.baseUrl, settings };
        const pixels = await readPixelLimits(recipe);
        const sources = { store, recipe, dataset, teacher, pixels, found, anew: plan.anew };
        const { stages, ...upstream } = await estimateStages(sources);
        const estimate: RunEstimate = {
          schema: 1,
          recipe: recipe.name,
          dataset: dataset.counts,
          stages,
        };
        if (imported === null) {
          await refuseLongPrompts(recipe, dataset, await readDatasetPairs(dataset));
          await checkPlacement(plan, deps.slurm);
          const around = { plan, imported: found, root: store.root, job: deps.job };
          await heartbeating('checking the settings', () => checkSettings(plan, found, around));
          const jobs = jobsToMake(stages, recipe);
          const disk = await estimateDisk(jobs, recipe, { root: store.root, models: deps.models });
          checkDisk(disk, store.root);
          return { ...estimate, disk, previews: await previewJobs(jobs, upstream, around) };
        }
        await writeEstimate(store.root, plan.run, estimate);
        return estimate;
      });
    },
  };
}

interface Known extends KeySources {
  store: ArtifactStore;
}

interface Foretold {
  stages: StageEstimate[];
  keys: ReadonlyMap<Stage, string>;
  counts: ReadonlyMap<Stage, Counts>;
}

/** The jobs of stages that do not stand. */
function jobsToMake(stages: readonly StageEstimate[], recipe: Recipe): JobNode[] {
  const made = new Set(stages.flatMap(({ stage, action }) => (action === 'make' ? [stage] : [])));
  return stageGraph(recipe).filter((node): node is JobNode => isJob(node) && made.has(node.name));
}

async function estimateStages(known: Known): Promise<Foretold> {
  const graph = stageGraph(known.recipe);
  const keys = runKeys(graph, known);
  const counts = new Map<Stage, Counts>();
  const estimates: StageEstimate[] = [];
  for (const node of graph) {
    const { name: stage } = node;
    const key = keys.get(stage);
    if (key === undefined) continue;
    const standing = await known.store.peek(stage, key);
    counts.set(stage, { ...foretoldCounts(node, known, counts), ...standing?.counts });
    const estimate: StageEstimate = { stage, action: standing === undefined ? 'make' : 'reuse', key };
    if (standing !== undefined) estimates.push(estimate);
    else if (node.kind === 'synthesis' && known.teacher !== undefined)
      estimates.push({ ...estimate, synthesis: await estimateAsking(known, known.teacher) });
    else if (isJob(node)) estimates.push({ ...estimate, job: await estimateOf(node, known, counts) });
    else estimates.push(estimate);
  }
  return { stages: estimates, keys, counts };
}

/** The counts that an artifact will have which does not exist, if something later depends on them. */
function foretoldCounts(node: StageNode, { recipe, dataset }: Known, counts: ReadonlyMap<Stage, Counts>): Counts {
  switch (node.kind) {
    case 'dataset':
      return dataset.counts;
    case 'synthesis':
      return { kept: counts.get(node.inputs.dataset)?.['train'] ?? 0 };
    case 'prompts': {
      const rows = counts.get(node.inputs.dataset);
      return Object.fromEntries(splits.map((split) => [split, rows?.[split] ?? 0]));
    }
    case 'mix':
      return {
        records: foretoldRecords(recipe, dataset.counts, node.inputs.synthesis && counts.get(node.inputs.synthesis)),
      };
    default:
      return {};
  }
}

/** `taught`: counts of the synthesis, where there is one. */
function foretoldRecords(recipe: Recipe, dataset: Counts, taught: Counts | undefined): number {
  const ids = (count = 0) => Array.from({ length: count }, (_, index) => String(index));
  const bare = ids(taught?.['kept'] ?? dataset['train']);
  const reasoned = taught === undefined ? ids(dataset['critiqued']) : bare;
  return mixOrder({ reasoned, bare }, mixShares(recipe), recipe.seed).length;
}

async function estimateOf(
  node: JobNode,
  { store, recipe }: Known,
  counts: ReadonlyMap<Stage, Counts>,
): Promise<StageEstimate['job']> {
  const planned = node.planned((stage) => counts.get(stage) ?? {});
  return estimateJob(node, planned, await lastMeasured(store, node, recipe.name));
}

/** The newest job of this stage that a run of this recipe's name made. */
async function lastMeasured(
  store: ArtifactStore,
  { name: stage }: JobNode,
  recipe: string,
): Promise<MeasuredJob | undefined> {
  let newest: { finishedAt: string; job: MeasuredJob } | undefined;
  for (const key of await store.keys(stage)) {
    const manifest = await store.peek(stage, key);
    if (manifest === undefined || recipeOfRun(manifest.made_by.run) !== recipeInRun(recipe)) continue;
    const { counts, cost, ingredients, made_by: madeBy } = manifest;
    const params = z.record(z.string(), z.unknown()).safeParse(ingredients['params']).data ?? {};
    const amount = counts[countsRows(stage) ? 'rows' : 'steps'];
    if (!amount || !cost.seconds || (newest !== undefined && newest.finishedAt >= madeBy.finished_at)) continue;
    newest = { finishedAt: madeBy.finished_at, job: { run: madeBy.run, amount, params, seconds: cost.seconds } };
  }
  return newest?.job;
}

/** Rows that still need an answer, what each request takes, and what was paid already. */
async function estimateAsking({ store, dataset, anew }: Known, teacher: TeacherIdentity): Promise<SynthesisEstimate> {
  const { settings } = teacher;
  const key = artifactKey('synthesis', ingredientsUnder({ anew }, 'synthesis', answersIngredients(teacher)));
  const folder = store.partialPath('synthesis', key);
  const log = await SynthesisLog.read(join(folder, 'answers.jsonl'));
  const pairs = (await readDatasetPairs(dataset)).filter(({ split }) => split === 'train');
  const verdicts = judgeAlone(pairs, (id) => log.answers(id), settings.filter);
  const left = verdicts.filter(
    ({ pair, kept }) => kept === undefined && log.answers(pair.id).length < settings.tries_per_row,
  );
  const sizes = await readImageSizes(dataset.path);
  const requests = left.map(({ pair }) => requestTokens(settings, pair, sizes));
  const { answered, unusable } = log.counts;
  const answers = answered + unusable;
  const meanOutput = answers >= enoughAnswers ? log.usage.output / answers : usualOutputTokens;
  return estimateSynthesis(requests, { answered: pairs.length - left.length, spent: log.spent, meanOutput }, settings);
}
