/**
 * Estimating: what a run will reuse, ask, cost and take. It walks the keys of all stages, which follow from the recipe,
 * the dataset, the base model, the trainer's code and its engine alone, and looks which artifacts and answers stand. It reads
 * manifests and never verifies files: a stage still does that before it reuses anything.
 *
 * Side effect: `estimate.json` in the folder of a run that goes on, replaced atomically; a plan alone
 * writes nothing but what it hashed of the base model (model-files.ts).
 */
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import {
  estimateJob,
  estimateSynthesis,
  type MeasuredJob,
  type RunEstimate,
  type StageEstimate,
  type SynthesisEstimate,
  usualOutputTokens,
} from '../domain/estimate.ts';
import { jobIngredients } from '../domain/jobs/job-spec.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { mixOrder } from '../domain/critique/mix.ts';
import { type JobStage, jobStages, paths, recipeInRun, recipeOfRun, type Stage, stages } from '../domain/names.ts';
import { jobKind, jobParams, type RunPlan } from '../domain/plan.ts';
import type { Recipe } from '../domain/recipe.ts';
import { type ArtifactStore, artifactKey } from './store/artifact-store.ts';
import { readDatasetPairs, readImageSizes } from './dataset/dataset.ts';
import type { ActivityDeps } from './deps.ts';
import { readIfPresent, writeFileAtomic } from './store/durable-file.ts';
import { translated } from './failure.ts';
import { heartbeating } from './heartbeating.ts';
import { describeImports, type PreparedRun } from './store/imports.ts';
import { type PixelLimits, readPixelLimits } from './records/record-lengths.ts';
import { mixIngredients, promptsIngredients } from './records/records.ts';
import { answersIngredients, synthesisIngredients, type TeacherIdentity, teacherUrl } from './synthesis/keys.ts';
import { SynthesisLog } from './synthesis/log.ts';
import { requestTokens } from './synthesis/question.ts';
import { judgeAlone } from './synthesis/verdicts.ts';

export interface EstimateInput {
  plan: RunPlan;
  dataset: ArtifactRef;
  /** What a run that goes on has imported; null: a plan alone, which hashes model and code where they lie. */
  imported: PreparedRun | null;
}

/** Fewer answers than this say little about how long a teacher's answers are. */
const enoughAnswers = 20;
const estimateName = 'estimate.json';

export function createEstimateActivities(deps: Pick<ActivityDeps, 'store' | 'llm' | 'job' | 'models'>) {
  const { store } = deps;
  return {
    /** What is there, what must be made, and what that will cost. */
    async estimateRun({ plan, dataset, imported }: EstimateInput): Promise<RunEstimate> {
      const signal = Context.current().cancellationSignal;
      return translated(`estimate run "${plan.run}"`, signal, async () => {
        const { recipe } = plan;
        const found =
          imported === null ? await heartbeating('hashing', () => describeImports(recipe.base_model, deps)) : imported;
        const teacher = {
          datasetKey: dataset.key,
          baseUrl: teacherUrl(deps.llm.baseUrl),
          settings: recipe.synthesis,
        };
        const pixels = await readPixelLimits(recipe);
        const estimate: RunEstimate = {
          schema: 1,
          recipe: recipe.name,
          dataset: dataset.counts,
          stages: await estimateStages({ store, recipe, dataset, teacher, pixels, found }),
        };
        if (imported !== null) {
          const path = join(paths.run(store.root, plan.run), estimateName);
          await writeFileAtomic(path, `${JSON.stringify(estimate, null, 2)}\n`);
        }
        return estimate;
      });
    },
  };
}

interface Known {
  store: ArtifactStore;
  recipe: Recipe;
  dataset: ArtifactRef;
  teacher: TeacherIdentity;
  found: PreparedRun;
  pixels: PixelLimits;
}

async function estimateStages(known: Known): Promise<StageEstimate[]> {
  const keys = stageKeys(known);
  const estimates: StageEstimate[] = [];
  let kept = known.dataset.counts['train'] ?? 0;
  for (const stage of stages) {
    const key = keys[stage];
    if (key === undefined) continue;
    const standing = await known.store.peek(stage, key);
    if (stage === 'synthesis' && standing !== undefined) kept = standing.counts['kept'] ?? kept;
    const estimate: StageEstimate = { stage, action: standing === undefined ? 'make' : 'reuse', key };
    const jobStage = jobStages.find((one) => one === stage);
    if (standing !== undefined) estimates.push(estimate);
    else if (stage === 'synthesis') estimates.push({ ...estimate, synthesis: await estimateAsking(known) });
    else if (jobStage !== undefined) estimates.push({ ...estimate, job: await estimateOf(known, jobStage, kept) });
    else estimates.push(estimate);
  }
  return estimates;
}

/** Keys of all artifacts that follow from the recipe, as the stages will compute them. */
function stageKeys({ recipe, dataset, teacher, found, pixels }: Known): Partial<Record<Stage, string>> {
  const { baseModel, trainer, engines } = found;
  const job = (stage: JobStage, model: string, inputs: Record<string, string>) => {
    const order = { params: jobParams(stage, recipe), seed: recipe.seed, trainer, engine: engines[jobKind(stage)] };
    return artifactKey(stage, jobIngredients(order, model, inputs));
  };
  const data = dataset.key;
  const synthesis = artifactKey('synthesis', synthesisIngredients(teacher));
  const prompts = artifactKey('prompts', promptsIngredients(recipe, data));
  const mix = artifactKey('mix', mixIngredients(recipe, data, synthesis, pixels));
  const sft = job('sft', baseModel.key, { mix, dataset: data });
  const grpo = job('grpo', sft, { prompts, dataset: data });
  const predict = (stage: JobStage, model: string) => job(stage, model, { prompts, dataset: data });
  return {
    dataset: data,
    synthesis,
    prompts,
    mix,
    sft,
    grpo,
    'predict-base': predict('predict-base', baseModel.key),
    'predict-sft': predict('predict-sft', sft),
    'predict-grpo': predict('predict-grpo', grpo),
  };
}

async function estimateOf(known: Known, stage: JobStage, kept: number): Promise<StageEstimate['job']> {
  const { recipe, dataset, store } = known;
  const pairs = Array.from({ length: kept }, (_, index) => String(index));
  const records = mixOrder(pairs, recipe.mix.direct_per_reasoning, recipe.seed).length;
  const counts = { records, testRows: dataset.counts['test'] ?? 0 };
  return estimateJob(stage, recipe, counts, await lastMeasured(store, stage, recipe.name));
}

/** The newest job of this stage that a run of this recipe's name made. */
async function lastMeasured(store: ArtifactStore, stage: JobStage, recipe: string): Promise<MeasuredJob | undefined> {
  let newest: { finishedAt: string; job: MeasuredJob } | undefined;
  for (const key of await store.keys(stage)) {
    const manifest = await store.peek(stage, key);
    if (manifest === undefined || recipeOfRun(manifest.made_by.run) !== recipeInRun(recipe)) continue;
    const { counts, cost, ingredients, made_by: madeBy } = manifest;
    const params = z.record(z.string(), z.unknown()).safeParse(ingredients['params']).data ?? {};
    const amount = stage === 'sft' || stage === 'grpo' ? counts['steps'] : counts['rows'];
    if (!amount || !cost.seconds || (newest !== undefined && newest.finishedAt >= madeBy.finished_at)) continue;
    newest = { finishedAt: madeBy.finished_at, job: { run: madeBy.run, amount, params, seconds: cost.seconds } };
  }
  return newest?.job;
}

/** Rows that still need an answer, what each request takes, and what was paid already. */
async function estimateAsking({ store, dataset, teacher }: Known): Promise<SynthesisEstimate> {
  const { settings } = teacher;
  const folder = store.partialPath('synthesis', artifactKey('synthesis', answersIngredients(teacher)));
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

const count = z.number().min(0);
const estimateSchema: z.ZodType<RunEstimate> = z.object({
  schema: z.literal(1),
  recipe: z.string(),
  dataset: z.record(z.string(), z.number()),
  stages: z.array(
    z.object({
      stage: z.enum(stages),
      action: z.enum(['reuse', 'make']),
      key: z.string(),
      job: z
        .object({
          steps: count.nullable(),
          rows: count.nullable(),
          seconds: count.nullable(),
          gpuHours: z.object({ expected: count.nullable(), atMost: count }),
          measuredIn: z.string().nullable(),
        })
        .exactOptional(),
      synthesis: z
        .object({
          rows: count,
          answered: count,
          tokens: z.object({ input: count, images: count, output: count }),
          usd: z.object({ expected: count, atMost: count, spent: count, cap: count }),
        })
        .exactOptional(),
    }),
  ),
});

/** A run's own estimate, or undefined if it has none that can be read. */
export async function readEstimate(root: string, run: string): Promise<RunEstimate | undefined> {
  const text = await readIfPresent(join(paths.run(root, run), estimateName));
  if (text === undefined) return undefined;
  try {
    return estimateSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
