/**
 * Evaluation: predictions of the test split → metrics.json, for the base, after SFT, after GRPO and for a constant
 * predictor. Predictions were written by jobs: ids and MOS are checked against the dataset, row by row.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure, Context } from '@temporalio/activity';
import * as z from 'zod';
import { judgeAnswers } from '../domain/health.ts';
import { type ArtifactRef, type Pair, pairSchema } from '../domain/manifest.ts';
import { agreement, bootstrap, type Interval, mean, quickMainScore, type Scored, spearman } from '../domain/metrics.ts';
import type { Stage } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import { reward } from '../domain/reward.ts';
import { parseAnswer } from '../domain/score.ts';
import { seededRandom } from '../domain/seeded-random.ts';
import type { ActivityDeps } from './deps.ts';

const answer = z.object({ text: z.string(), tokens: z.int().min(0) });
export const predictionSchema = z.object({ id: z.string(), mos: z.number(), greedy: answer, sampled: answer });
export type Prediction = z.output<typeof predictionSchema>;

/** Resamples of the slower statistics (each needs a curve fit) and of the others. */
const fitResamples = 200;
const resamples = 1000;

export type Model = 'base' | 'sft' | 'grpo' | 'constant';

export interface ModelMetrics {
  n: number;
  readable: number;
  srcc: number | null;
  srccInterval: Interval;
  plcc: number | null;
  plccFit: number | null;
  krcc: number | null;
  rmse: number | null;
  mainScore: number | null;
  mainScoreInterval: Interval;
  /** Mean reward (accuracy + weighted format) of greedy answers and of answers at temperature 1. */
  rewardGreedy: number | null;
  rewardSampled: number | null;
  rewardSampledInterval: Interval;
  tokens: number | null;
}

export interface Evaluation {
  schema: 1;
  split: 'test';
  models: Partial<Record<Model, ModelMetrics>>;
  /** Paired bootstrap intervals of GRPO − SFT on the same pairs. */
  gain: { srcc: Interval; rewardSampled: Interval } | null;
  findings: string[];
}

type Artifacts = Partial<Record<Stage, ArtifactRef>>;

export function createEvaluationActivities(deps: Pick<ActivityDeps, 'store'>) {
  return {
    async evaluatePredictions({ plan, artifacts }: { plan: RunPlan; artifacts: Artifacts }): Promise<ArtifactRef> {
      const keys = Object.fromEntries(
        (['dataset', 'predict-base', 'predict-sft', 'predict-grpo'] as const).map((name) => [
          name,
          artifacts[name]?.key ?? null,
        ]),
      );
      const ingredients = { inputs: keys, reward: plan.recipe.grpo.reward, seed: plan.recipe.seed, version: 2 };
      const found = await deps.store.find('evaluation', ingredients);
      if (found.artifact !== undefined) return found.artifact;
      const evaluation = await evaluate(plan, artifacts);
      const from = join(await deps.store.partial('evaluation', found.key), `try-${process.pid}-${Date.now()}`);
      await mkdir(from, { recursive: true });
      await writeFile(join(from, 'metrics.json'), `${JSON.stringify(evaluation, null, 2)}\n`);
      const counts = { rows: evaluation.models.grpo?.n ?? 0 };
      return deps.store.publish({
        stage: 'evaluation',
        key: found.key,
        ingredients,
        from,
        counts,
        cost: {},
        run: plan.run,
        attempts: [],
      });
    },
  };
}

async function evaluate(plan: RunPlan, artifacts: Artifacts): Promise<Evaluation> {
  const pairs = await readPairs(artifacts.dataset);
  const test = pairs.filter((pair) => pair.split === 'test');
  const models: Evaluation['models'] = { constant: constantMetrics(pairs, test) };
  const rows: Partial<Record<Model, Prediction[]>> = {};
  for (const name of ['base', 'sft', 'grpo'] as const) {
    const artifact = artifacts[`predict-${name}`];
    if (artifact === undefined) continue;
    const predictions = await readPredictions(artifact, test);
    rows[name] = predictions;
    Context.current().heartbeat({ state: 'measuring', note: name });
    models[name] = modelMetrics(predictions, plan);
  }
  const findings = judgeAnswers(
    (rows.grpo ?? []).flatMap((row) => {
      const read = parseAnswer(row.greedy.text);
      return read.kind === 'scored' ? [read] : [];
    }),
  );
  const gain = rows.sft === undefined || rows.grpo === undefined ? null : gains(rows.sft, rows.grpo, plan);
  return { schema: 1, split: 'test', models, gain, findings: findings.map((finding) => finding.sentence) };
}

function modelMetrics(rows: readonly Prediction[], plan: RunPlan): ModelMetrics {
  const settings = plan.recipe.grpo.reward;
  const scored = rows.flatMap(scoredGreedy);
  const whole = agreement(scored);
  const sampled = rows.map((row) => reward(row.sampled.text, row.mos, settings).overall);
  const random = () => seededRandom(plan.recipe.seed + 1);
  return {
    ...whole,
    n: rows.length,
    readable: scored.length / rows.length,
    srccInterval: bootstrap(scored, spearman, random(), resamples),
    mainScoreInterval: bootstrap(scored, quickMainScore, random(), fitResamples),
    rewardGreedy: mean(rows.map((row) => reward(row.greedy.text, row.mos, settings).overall)),
    rewardSampled: mean(sampled),
    rewardSampledInterval: bootstrap(sampled, (sample) => mean(sample), random(), resamples),
    tokens: mean(rows.map((row) => row.greedy.tokens)),
  };
}

/** A predictor that always says the train split's mean: no correlation, but an error to compare with. */
function constantMetrics(pairs: readonly Pair[], test: readonly Pair[]): ModelMetrics {
  const guess = mean(pairs.filter((pair) => pair.split === 'train').map((pair) => pair.mos.overall));
  const whole = agreement(test.map((pair) => ({ predicted: guess, mos: pair.mos.overall })));
  const nothing = { srccInterval: null, mainScoreInterval: null, rewardGreedy: null, rewardSampled: null };
  return { ...whole, readable: 1, ...nothing, rewardSampledInterval: null, tokens: null };
}

function gains(sft: readonly Prediction[], grpo: readonly Prediction[], plan: RunPlan): Evaluation['gain'] {
  const both = sft.flatMap((before, i) => {
    const after = grpo[i];
    return after === undefined ? [] : [{ before, after }];
  });
  const random = () => seededRandom(plan.recipe.seed + 2);
  const overall = (row: Prediction) => reward(row.sampled.text, row.mos, plan.recipe.grpo.reward).overall;
  return {
    srcc: bootstrap(
      both,
      (sample) => {
        const before = spearman(sample.flatMap((one) => scoredGreedy(one.before)));
        const after = spearman(sample.flatMap((one) => scoredGreedy(one.after)));
        return before === null || after === null ? null : after - before;
      },
      random(),
      resamples,
    ),
    rewardSampled: bootstrap(
      both,
      (sample) => mean(sample.map((one) => overall(one.after) - overall(one.before))),
      random(),
      resamples,
    ),
  };
}

export function scoredGreedy(row: Prediction): Scored[] {
  const read = parseAnswer(row.greedy.text);
  return read.kind === 'scored' ? [{ predicted: read.score, mos: row.mos }] : [];
}

export async function readPairs(dataset: ArtifactRef | undefined): Promise<Pair[]> {
  if (dataset === undefined) throw new Error('the dataset is needed and is not there');
  const text = await readFile(join(dataset.path, 'pairs.jsonl'), 'utf8');
  return lines(text).map((line) => pairSchema.parse(JSON.parse(line)));
}

/** Predictions in the test split's order. Any missing, doubled or foreign id, or another MOS, fails the postcondition. */
export async function readPredictions(artifact: ArtifactRef, test: readonly Pair[]): Promise<Prediction[]> {
  const path = join(artifact.path, 'predictions.jsonl');
  const rows = lines(await readFile(path, 'utf8')).map((line) => predictionSchema.parse(JSON.parse(line)));
  const byId = new Map(rows.map((row) => [row.id, row]));
  const wrong = test.filter((pair) => byId.get(pair.id)?.mos !== pair.mos.overall);
  if (wrong.length > 0 || rows.length !== test.length) {
    const example = wrong[0] === undefined ? '' : `, e.g. ${wrong[0].id}`;
    throw ApplicationFailure.nonRetryable(
      `${path}: expected one row for each of the ${test.length} test pairs with its MOS, got ${rows.length} rows, ${wrong.length} pairs missing or with another MOS${example}`,
      'PostconditionFailed',
    );
  }
  return test.flatMap((pair) => byId.get(pair.id) ?? []);
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
