/**
 * Evaluation: judged answers of the test split → agreement with people, reward and length, each with a 95 % bootstrap
 * interval, and paired differences of two critics. Pure. Keys are snake_case: they are what `metrics.json` holds.
 * All intervals of one evaluation use the same seed and so the same resamples (`resampling.ts`): differences are paired.
 */
import type { Breakdown } from './breakdown.ts';
import { combine, type Estimate, type Measured, type Resampling, type TestPair } from './resampling.ts';
import { ScoredPairs, type Weights } from './scored-pairs.ts';
import { refusalOf } from './unmeasured.ts';
import { accuracyReward, reward, type RewardParams } from '../critique/reward.ts';
import { parseAnswer } from '../critique/score.ts';

export const modelNames = ['base', 'sft', 'grpo', 'constant'] as const;
/** `constant` always says the train split's mean MOS: what a critic must beat. */
export type ModelName = (typeof modelNames)[number];

export interface JudgedAnswer {
  /** null if the answer cannot be read. */
  score: number | null;
  accuracy: number;
  format: number;
  /** accuracy + format_weight · format. */
  overall: number;
  /** null for the constant predictor, which writes nothing. */
  tokens: number | null;
}

/** A model's two answers to one pair: greedy, and drawn at the recipe's temperature. */
export interface JudgedItem extends TestPair {
  greedy: JudgedAnswer;
  sampled: JudgedAnswer;
}

export const metricNames = [
  'srcc',
  'plcc_fit',
  'main_score',
  'plcc',
  'krcc',
  'rmse',
  'readable',
  'reward_sampled',
  'accuracy_sampled',
  'reward_greedy',
  'accuracy_greedy',
  'tokens_sampled',
  'tokens_greedy',
] as const;
export type MetricName = (typeof metricNames)[number];

/** A metric that does not apply is absent. */
export type Metrics = Partial<Record<MetricName, Estimate>>;

/** What `metrics.json` holds. `differences` are later − earlier, by name, and absent where one side was not predicted. */
export interface Evaluation {
  schema: 1;
  split: 'test';
  pairs: number;
  reward: RewardParams;
  sampled_temperature: number;
  resampling: Resampling;
  models: Partial<Record<ModelName, Metrics>>;
  differences: Partial<Record<'grpo_minus_sft' | 'sft_minus_base' | 'grpo_minus_base', Metrics>>;
  /** Share of readable greedy answers that give the most frequent score, and that have the most frequent text. */
  sameness: Partial<Record<ModelName, { score: number; text: number }>>;
  findings: AnswerFinding[];
  /** Why the MainScore of a model that answered is null or has no interval (`unmeasured.ts`). Earlier releases say it of unreadable answers alone, or not at all. */
  refused?: Partial<Record<ModelName, string>>;
  /** By dimension, method and source. Absent in artifacts of earlier releases. */
  breakdown?: Partial<Record<ModelName, Breakdown>>;
}

/** What a model's answers to different pairs have too much in common; see `domain/health/health.ts`. */
export interface AnswerFinding {
  model: ModelName;
  signal: string;
  level: 'good' | 'warning';
  sentence: string;
}

/** Why a model that answered has no MainScore, or none with an interval, as far as its evaluation tells. Undefined: it has both. */
export function whyNoMainScore({ refused, models, sameness, pairs }: Evaluation, name: ModelName): string | undefined {
  const { value = null, interval = null } = models[name]?.main_score ?? {};
  if (value !== null && interval !== null) return undefined;
  const told = refused?.[name];
  if (told !== undefined) return told;
  // An artifact of an earlier release tells less.
  if (sameness[name]?.score === 1) return 'all answers that can be read give one and the same score';
  return `scores or opinions of the ${pairs} pairs do not vary enough`;
}

export function judgeText(text: string, tokens: number, mos: number, params: RewardParams): JudgedAnswer {
  const read = parseAnswer(text);
  return { score: read.kind === 'scored' ? read.score : null, ...reward(text, mos, params), tokens };
}

/** The constant predictor's answer. Its format is counted as right, so its reward is the one to beat. */
export function constantAnswer(guess: number, mos: number, params: RewardParams): JudgedAnswer {
  const accuracy = accuracyReward(Math.abs(guess - mos), params);
  return { score: guess, accuracy, format: 1, overall: accuracy + params.format_weight, tokens: null };
}

export type MeasuredMetrics = Partial<Record<MetricName, Measured>>;

/** Measures everything. Yields the name of what comes next: curve fits take their time, and others need the CPU too. */
export function* measure(
  items: readonly JudgedItem[],
  draws: readonly Weights[],
): Generator<MetricName, MeasuredMetrics> {
  const statistics = statisticsOf(items);
  const found: MeasuredMetrics = {};
  for (const name of metricNames) {
    yield name;
    found[name] =
      name === 'main_score' ? mainScore(found.srcc, found.plcc_fit) : measureOne(statistics[name], items, draws);
  }
  return found;
}

/** Only MainScore, for the gate. */
export function measureMainScore(items: readonly JudgedItem[], draws: readonly Weights[]): Measured {
  const { srcc, plcc_fit: fit } = statisticsOf(items);
  return mainScore(measureOne(srcc, items, draws), measureOne(fit, items, draws));
}

/** Share of the most frequent value. 0 without values. */
export function topShare(values: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let most = 0;
  for (const count of counts.values()) most = Math.max(most, count);
  return values.length === 0 ? 0 : most / values.length;
}

/** A metric of what was drawn. */
type Statistic = (weights: Weights) => number | null;

/** MainScore is made of two others. */
function statisticsOf(items: readonly JudgedItem[]): Record<Exclude<MetricName, 'main_score'>, Statistic> {
  const readable = items.flatMap(({ greedy, mos }, index) =>
    greedy.score === null ? [] : [{ index, mos, predicted: greedy.score }],
  );
  const isRefused = refusalOf(items) !== undefined;
  const indices = Uint32Array.from(readable, ({ index }) => index);
  const pairs = new ScoredPairs(
    readable.map((one) => one.predicted),
    readable.map((one) => one.mos),
  );
  const drawn = (weights: Weights) => {
    const some = new Float64Array(indices.length);
    for (let i = 0; i < indices.length; i += 1) some[i] = weights[indices[i] ?? 0] ?? 0;
    return some;
  };
  const agreed = (statistic: Statistic): Statistic => (isRefused ? () => null : (weights) => statistic(drawn(weights)));
  return {
    srcc: agreed((weights) => pairs.spearman(weights)),
    plcc_fit: agreed((weights) => pairs.plccFit(weights)),
    plcc: agreed((weights) => pairs.pearson(weights)),
    krcc: agreed((weights) => pairs.kendall(weights)),
    rmse: agreed((weights) => pairs.rmse(weights)),
    readable: meanOf(items, ({ greedy }) => (greedy.score === null ? 0 : 1)),
    reward_sampled: meanOf(items, ({ sampled }) => sampled.overall),
    accuracy_sampled: meanOf(items, ({ sampled }) => sampled.accuracy),
    reward_greedy: meanOf(items, ({ greedy }) => greedy.overall),
    accuracy_greedy: meanOf(items, ({ greedy }) => greedy.accuracy),
    tokens_sampled: meanOf(items, ({ sampled }) => sampled.tokens),
    tokens_greedy: meanOf(items, ({ greedy }) => greedy.tokens),
  };
}

function measureOne(statistic: Statistic, items: readonly JudgedItem[], draws: readonly Weights[]): Measured {
  return { value: statistic(new Float64Array(items.length).fill(1)), values: draws.map(statistic) };
}

function mainScore(srcc: Measured | undefined, fit: Measured | undefined): Measured {
  if (srcc === undefined || fit === undefined) throw new Error('MainScore was asked for before what it is made of');
  return combine(srcc, fit, (a, b) => (a + b) / 2);
}

/** Mean over what was drawn; null without any, or if one that was drawn has no value. */
function meanOf(items: readonly JudgedItem[], pick: (item: JudgedItem) => number | null): Statistic {
  const values = items.map(pick);
  return (weights) => {
    let [sum, count] = [0, 0];
    for (let i = 0; i < weights.length; i += 1) {
      const [weight, value] = [weights[i] ?? 0, values[i] ?? null];
      if (weight === 0) continue;
      if (value === null) return null;
      sum += weight * value;
      count += weight;
    }
    return count === 0 ? null : sum / count;
  };
}
