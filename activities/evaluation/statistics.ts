/**
 * Statistics: what takes seconds to minutes of pure computing. Each step yields what comes next. `statistics-thread.ts` runs it, never a
 * worker's event loop. Plain values in, plain values out.
 */
import { type Comparison, compare } from '../../domain/evaluation/comparison.ts';
import {
  type Evaluation,
  type JudgedItem,
  measure,
  type MeasuredMetrics,
  metricNames,
  type Metrics,
  type ModelName,
  modelNames,
  topShare,
} from '../../domain/evaluation/evaluation.ts';
import { type ExperimentMeasures, measureExperiment, type MeasuringWork } from '../../domain/experiment/measuring.ts';
import { drawsOf, type Estimate, resamplingOf, subtract, toEstimate } from '../../domain/evaluation/resampling.ts';
import { judgeAnswers } from '../../domain/health/health.ts';
import type { RewardParams } from '../../domain/critique/reward.ts';
import { parseAnswer } from '../../domain/critique/score.ts';
import type { JudgedModels } from './evaluation-file.ts';
import { breakDown, type BreakdownRow } from '../../domain/evaluation/breakdown.ts';
import { whyUnmeasured } from '../../domain/evaluation/unmeasured.ts';
import { type Ratings, statedRatings } from '../../domain/critique/ratings.ts';

export interface EvaluationWork {
  judged: JudgedModels;
  /** Whole texts of the greedy answers, by model. */
  texts: Partial<Record<ModelName, string[]>>;
  /** What is known of each test pair beside its MOS, in the order of the split. */
  known: { method: string; labels: Ratings }[];
  reward: RewardParams;
  sampledTemperature: number;
  seed: number;
}

export interface ComparisonWork {
  ours: JudgedItem[];
  rivals: JudgedItem[][];
  seed: number;
}

/** Kinds of work, each with what goes into the thread and what comes out of it. */
export interface Statistics {
  evaluation: { input: EvaluationWork; output: Evaluation };
  comparison: { input: ComparisonWork; output: Comparison[] };
  experiment: { input: MeasuringWork; output: ExperimentMeasures };
}
export type StatisticsTask = { [K in keyof Statistics]: { kind: K; input: Statistics[K]['input'] } }[keyof Statistics];

/** What the thread tells: its current step, and at last the result. */
export type StatisticsMessage<T> = { step: string } | { result: T };

const none: Estimate = { value: null, interval: null };

/** Everything that `metrics.json` holds. Deterministic: the same input gives the same bytes. */
export function* evaluate(work: EvaluationWork): Generator<string, Evaluation> {
  const { judged, texts, reward, sampledTemperature, seed } = work;
  const resampling = resamplingOf(judged.constant ?? [], seed + 1);
  const evaluation: Evaluation = {
    schema: 1,
    split: 'test',
    pairs: judged.constant?.length ?? 0,
    reward,
    sampled_temperature: sampledTemperature,
    resampling,
    models: {},
    differences: {},
    sameness: {},
    findings: [],
    refused: {},
    breakdown: {},
  };
  const draws = drawsOf(judged.constant ?? [], resampling);
  const measured: Partial<Record<ModelName, MeasuredMetrics>> = {};
  for (const name of modelNames) {
    const items = judged[name];
    if (items === undefined) continue;
    const found = yield* named(name, measure(items, draws));
    measured[name] = found;
    evaluation.models[name] = estimates(found);
    const why = name === 'constant' ? undefined : whyUnmeasured(items, evaluation.models[name]?.main_score ?? none);
    if (why !== undefined) evaluation.refused = { ...evaluation.refused, [name]: why };
  }
  addDifferences(evaluation, measured);
  for (const name of modelNames) {
    const rows = breakdownRows(judged[name], texts[name], work.known);
    if (rows === undefined) continue;
    const parts = yield* named(name, breakDown(rows, seed + 2));
    evaluation.breakdown = { ...evaluation.breakdown, [name]: parts };
  }
  for (const name of modelNames) {
    yield `${name}, answers`;
    examineAnswers(evaluation, name, texts[name]);
  }
  return evaluation;
}

/** Runs one piece of work of any kind. */
export function perform(task: StatisticsTask): Generator<string, Statistics[keyof Statistics]['output']> {
  switch (task.kind) {
    case 'evaluation':
      return evaluate(task.input);
    case 'comparison':
      return compare(task.input.ours, task.input.rivals, task.input.seed);
    case 'experiment':
      return measureExperiment(task.input);
  }
}

function* named<T>(name: string, steps: Generator<string, T>): Generator<string, T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield `${name}, ${step.value}`;
  }
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

/** Undefined for a model without texts, such as the constant predictor: it has nothing to say of a part. */
function breakdownRows(
  items: readonly JudgedItem[] | undefined,
  texts: readonly string[] | undefined,
  known: EvaluationWork['known'],
): BreakdownRow[] | undefined {
  if (items === undefined || texts === undefined) return undefined;
  return items.map(({ id, source, mos, greedy }, index) => {
    const { method, labels } = known[index] ?? { method: 'unknown', labels: {} };
    const read = parseAnswer(texts[index] ?? '');
    const ratings = read.kind === 'scored' ? statedRatings(read.think) : {};
    return { id, source, mos, method, labels, score: greedy.score, ratings };
  });
}

/** Do different pairs get the same score, or the same text? */
function examineAnswers(evaluation: Evaluation, name: ModelName, texts: readonly string[] | undefined): void {
  if (texts === undefined) return;
  const answers = texts.flatMap((text) => {
    const read = parseAnswer(text);
    return read.kind === 'scored' ? [read] : [];
  });
  evaluation.sameness[name] = {
    score: topShare(answers.map((answer) => answer.score.toFixed(2))),
    text: topShare(answers.map((answer) => answer.think.replace(/\s+/g, ' '))),
  };
  evaluation.findings.push(...judgeAnswers(answers).map((finding) => ({ model: name, ...finding })));
}
