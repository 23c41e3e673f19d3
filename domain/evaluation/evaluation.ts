/**
 * Evaluation: judged answers of the test split → agreement with people, reward and length, each with a 95 % bootstrap
 * interval, and paired differences of two critics. Pure. Keys are snake_case: they are what `metrics.json` holds.
 *
 * Edits of one source image are not independent observations, so whole sources are resampled (a cluster bootstrap), unless
 * there are too few of them. All intervals of one evaluation use the same seed and so the same resamples: differences are
 * paired.
 */
import { bootstrap, type Interval } from './metrics.ts';
import { ScoredPairs, type Weights } from './scored-pairs.ts';
import { accuracyReward, reward, type RewardParams } from '../critique/reward.ts';
import { parseAnswer } from '../critique/score.ts';
import { seededRandom } from './seeded-random.ts';

export const modelNames = ['base', 'sft', 'grpo', 'constant'] as const;
/** `constant` always says the train split's mean MOS: what a critic must beat. */
export type ModelName = (typeof modelNames)[number];

/** What measuring needs of one pair of the test split. */
export interface TestPair {
  id: string;
  /** Source image: the unit of resampling. */
  source: string;
  mos: number;
}

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

/** null where undefined: a constant predictor has no correlation. The interval has 95 %. */
export interface Estimate {
  value: number | null;
  interval: Interval;
}

/** A metric that does not apply is absent. */
export type Metrics = Partial<Record<MetricName, Estimate>>;

/** How intervals were made. `units` is the number of sources or pairs that were drawn from. */
export interface Resampling {
  unit: 'source' | 'pair';
  units: number;
  resamples: number;
  seed: number;
}

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
}

/** What a model's answers to different pairs have too much in common; see `domain/health/health.ts`. */
export interface AnswerFinding {
  model: ModelName;
  signal: string;
  level: 'good' | 'warning';
  sentence: string;
}

/** Fewer sources than this make a cluster bootstrap's intervals too short: pairs are drawn instead, and it is said. */
const fewestSources = 10;

export function judgeText(text: string, tokens: number, mos: number, params: RewardParams): JudgedAnswer {
  const read = parseAnswer(text);
  return { score: read.kind === 'scored' ? read.score : null, ...reward(text, mos, params), tokens };
}

/** The constant predictor's answer. Its format is counted as right, so its reward is the one to beat. */
export function constantAnswer(guess: number, mos: number, params: RewardParams): JudgedAnswer {
  const accuracy = accuracyReward(Math.abs(guess - mos), params);
  return { score: guess, accuracy, format: 1, overall: accuracy + params.format_weight, tokens: null };
}

export function resamplingOf(pairs: readonly TestPair[], seed: number, resamples = 1000): Resampling {
  const sources = new Set(pairs.map((pair) => pair.source)).size;
  const unit = sources >= fewestSources ? 'source' : 'pair';
  return { unit, units: unit === 'source' ? sources : pairs.length, resamples, seed };
}

/** All resamples of these pairs: how often each pair was drawn. They are the same for every model, so values of one resample belong together. */
export function drawsOf(pairs: readonly TestPair[], how: Resampling): Weights[] {
  const groups = Map.groupBy(pairs.keys(), (index) => {
    const pair = pairs[index];
    return how.unit === 'source' ? pair?.source : pair?.id;
  });
  const units = [...groups.values()];
  const random = seededRandom(how.seed);
  return Array.from({ length: how.resamples }, () => {
    const drawn = new Float64Array(pairs.length);
    for (let k = 0; k < units.length; k += 1) {
      for (const index of units[Math.floor(random() * units.length)] ?? []) drawn[index] = (drawn[index] ?? 0) + 1;
    }
    return drawn;
  });
}

/** A metric of all pairs, and of each resample. */
export interface Measured {
  value: number | null;
  values: readonly (number | null)[];
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

/** `after` − `before`, resample by resample. */
export function subtract(after: Measured, before: Measured): Measured {
  return combine(after, before, (a, b) => a - b);
}

export function toEstimate({ value, values }: Measured): Estimate {
  const next = values.values();
  // The values are drawn already. With one dummy item `bootstrap` takes them in turn and applies its rule for the bounds.
  const interval = bootstrap(
    [0],
    () => next.next().value ?? null,
    () => 0,
    values.length,
  );
  return { value, interval };
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
  return {
    srcc: (weights) => pairs.spearman(drawn(weights)),
    plcc_fit: (weights) => pairs.plccFit(drawn(weights)),
    plcc: (weights) => pairs.pearson(drawn(weights)),
    krcc: (weights) => pairs.kendall(drawn(weights)),
    rmse: (weights) => pairs.rmse(drawn(weights)),
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

function combine(a: Measured, b: Measured, how: (a: number, b: number) => number): Measured {
  const both = (x: number | null, y: number | null | undefined) =>
    x === null || y === null || y === undefined ? null : how(x, y);
  return { value: both(a.value, b.value), values: a.values.map((value, index) => both(value, b.values[index])) };
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
