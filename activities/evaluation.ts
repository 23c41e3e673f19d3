/**
 * Evaluation: predictions of the test split → the evaluation artifact, for the base, after SFT, after GRPO and for a
 * constant predictor. Predictions were written by jobs: ids and MOS are checked against the dataset. The measuring itself
 * is `domain/evaluation.ts`; this gathers and writes.
 *
 * kill -9 before the store's rename leaves a try folder that nobody reads; after it the artifact stands. Deterministic.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import {
  constantAnswer,
  drawsOf,
  type Evaluation,
  type JudgedItem,
  judgeText,
  measure,
  type MeasuredMetrics,
  metricNames,
  type Metrics,
  type ModelName,
  modelNames,
  resamplingOf,
  subtract,
  type TestPair,
  toEstimate,
  topShare,
} from '../domain/evaluation.ts';
import { judgeAnswers } from '../domain/health.ts';
import type { ArtifactRef, Pair } from '../domain/manifest.ts';
import { mean } from '../domain/metrics.ts';
import type { Stage } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import type { StageProgress } from '../domain/progress.ts';
import { parseAnswer } from '../domain/score.ts';
import { readDatasetPairs } from './dataset.ts';
import type { ActivityDeps } from './deps.ts';
import { type JudgedModels, writeEvaluation } from './evaluation/evaluation-file.ts';
import { postconditionFailed, type Prediction, readPredictions } from './evaluation/predictions.ts';
import { translated } from './failure.ts';
import { tryFolder } from './try-folder.ts';

/** Raised when measuring changes: it is part of the artifact's key. */
const version = 3;
const predicted = ['base', 'sft', 'grpo'] as const;

export interface EvaluationInput {
  plan: RunPlan;
  /** Needs `dataset` and `predict-grpo`; `predict-base` and `predict-sft` are absent if the operator skipped them. */
  artifacts: Partial<Record<Stage, ArtifactRef>>;
}

export function createEvaluationActivities(deps: Pick<ActivityDeps, 'store'>) {
  return {
    /** Throws a non-retryable `PostconditionFailed` if predictions are not of exactly the test split's pairs. */
    async evaluatePredictions({ plan, artifacts }: EvaluationInput): Promise<ArtifactRef> {
      const signal = Context.current().cancellationSignal;
      return translated(`evaluate predictions of run "${plan.run}"`, signal, async () => {
        const started = Date.now();
        const ingredients = evaluationIngredients(plan, artifacts);
        const found = await deps.store.find('evaluation', ingredients);
        if (found.artifact !== undefined) return found.artifact;
        const { judged, predictions } = await judge(plan, artifacts);
        const evaluation = await evaluationOf(plan, judged, predictions);
        const from = await tryFolder(deps.store, 'evaluation', found.key);
        await writeEvaluation(from, evaluation, judged);
        return deps.store.publish({
          stage: 'evaluation',
          key: found.key,
          ingredients,
          from,
          counts: { rows: evaluation.pairs },
          cost: { seconds: (Date.now() - started) / 1000 },
          run: plan.run,
          attempts: [],
        });
      });
    },
  };
}

function evaluationIngredients(plan: RunPlan, artifacts: EvaluationInput['artifacts']): Record<string, unknown> {
  const names = ['dataset', 'predict-base', 'predict-sft', 'predict-grpo'] as const;
  const inputs = Object.fromEntries(names.map((name) => [name, artifacts[name]?.key ?? null]));
  const { seed, grpo, predict } = plan.recipe;
  return { inputs, reward: grpo.reward, sampled_temperature: predict.sampled_temperature, seed, version };
}

interface Judged {
  judged: JudgedModels;
  predictions: Partial<Record<ModelName, Prediction[]>>;
}

/** Reads and checks every model's predictions and judges each answer. */
async function judge(plan: RunPlan, artifacts: EvaluationInput['artifacts']): Promise<Judged> {
  const { dataset } = artifacts;
  if (dataset === undefined || artifacts['predict-grpo'] === undefined) {
    throw new Error('an evaluation needs the dataset and the predictions after GRPO');
  }
  const settings = plan.recipe.grpo.reward;
  const pairs = await readDatasetPairs(dataset);
  const test = pairs.filter((pair) => pair.split === 'test');
  if (test.length === 0) throw postconditionFailed(`dataset ${dataset.key}: expected test pairs, got none`);
  const found: Judged = { judged: { constant: constantItems(pairs, test, plan) }, predictions: {} };
  for (const name of predicted) {
    const artifact = artifacts[`predict-${name}`];
    if (artifact === undefined) continue;
    const rows = await readPredictions(artifact, test);
    found.predictions[name] = rows;
    found.judged[name] = test.flatMap((pair, index) => {
      const row = rows[index];
      if (row === undefined) return [];
      const judged = (answer: Prediction['greedy']) => judgeText(answer.text, answer.tokens, row.mos, settings);
      return [{ ...testPair(pair), greedy: judged(row.greedy), sampled: judged(row.sampled) }];
    });
  }
  return found;
}

function constantItems(pairs: readonly Pair[], test: readonly Pair[], plan: RunPlan): JudgedItem[] {
  const train = pairs.filter((pair) => pair.split === 'train').map((pair) => pair.mos.overall);
  if (train.length === 0)
    throw postconditionFailed('the dataset has no train pairs: the constant predictor needs them');
  const guess = mean(train);
  return test.map((pair) => {
    const answer = constantAnswer(guess, pair.mos.overall, plan.recipe.grpo.reward);
    return { ...testPair(pair), greedy: answer, sampled: answer };
  });
}

function testPair(pair: Pair): TestPair {
  return { id: pair.id, source: pair.source_id, mos: pair.mos.overall };
}

async function evaluationOf(
  plan: RunPlan,
  judged: JudgedModels,
  predictions: Judged['predictions'],
): Promise<Evaluation> {
  const { seed, grpo, predict } = plan.recipe;
  const resampling = resamplingOf(judged.constant ?? [], seed + 1);
  const evaluation: Evaluation = {
    schema: 1,
    split: 'test',
    pairs: judged.constant?.length ?? 0,
    reward: grpo.reward,
    sampled_temperature: predict.sampled_temperature,
    resampling,
    models: {},
    differences: {},
    sameness: {},
    findings: [],
  };
  const draws = drawsOf(judged.constant ?? [], resampling);
  const measured: Partial<Record<ModelName, MeasuredMetrics>> = {};
  for (const name of modelNames) {
    const items = judged[name];
    if (items === undefined) continue;
    const found = await inSteps(name, measure(items, draws));
    measured[name] = found;
    evaluation.models[name] = estimates(found);
  }
  addDifferences(evaluation, measured);
  for (const name of predicted) examineAnswers(evaluation, name, predictions[name]);
  return evaluation;
}

function estimates(measured: MeasuredMetrics): Metrics {
  const found: Metrics = {};
  for (const name of metricNames) {
    const one = measured[name];
    if (one !== undefined) found[name] = toEstimate(one);
  }
  return found;
}

function addDifferences(evaluation: Evaluation, measured: Partial<Record<ModelName, MeasuredMetrics>>): void {
  const wanted = [
    ['grpo_minus_sft', measured.sft, measured.grpo],
    ['sft_minus_base', measured.base, measured.sft],
    ['grpo_minus_base', measured.base, measured.grpo],
  ] as const;
  for (const [name, before, after] of wanted) {
    if (before === undefined || after === undefined) continue;
    const found: MeasuredMetrics = {};
    for (const metric of metricNames) {
      const [earlier, later] = [before[metric], after[metric]];
      if (earlier !== undefined && later !== undefined) found[metric] = subtract(later, earlier);
    }
    evaluation.differences[name] = estimates(found);
  }
}

/** Do different pairs get one same score, one same text? */
function examineAnswers(evaluation: Evaluation, name: ModelName, rows: readonly Prediction[] | undefined): void {
  if (rows === undefined) return;
  const answers = rows.flatMap((row) => {
    const read = parseAnswer(row.greedy.text);
    return read.kind === 'scored' ? [read] : [];
  });
  evaluation.sameness[name] = {
    score: topShare(answers.map((answer) => answer.score.toFixed(2))),
    text: topShare(answers.map((answer) => answer.think.replace(/\s+/g, ' '))),
  };
  evaluation.findings.push(...judgeAnswers(answers).map((finding) => ({ model: name, ...finding })));
}

/** Before each step: a heartbeat, a chance to be cancelled, and the event loop for others. */
async function inSteps<T>(note: string, steps: Generator<string, T>): Promise<T> {
  const { heartbeat, cancellationSignal } = Context.current();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    cancellationSignal.throwIfAborted();
    heartbeat({ state: 'measuring', note: `${note}, ${step.value}` } satisfies StageProgress);
    await breathe();
  }
}
