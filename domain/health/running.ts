/**
 * Running: what the numbers and sampled answers of a GRPO training say while it runs. Looked at every step, so each sign compares the means of two windows of
 * steps and wants a difference that noise does not make. One sign may be a false alarm: the verdict `sick` needs two of different kinds. Pure.
 *
 * `judgeTraining` (health.ts) looks back at a whole run. `npm run bench:health` measures both the delay and the false alarms of what is here.
 */
import { topShare } from '../evaluation/evaluation.ts';
import { nearDuplicates } from '../critique/repetition.ts';
import { parseAnswer } from '../critique/score.ts';
import { mean } from '../evaluation/metrics.ts';
import type { MetricsRow, SampledStep } from '../manifest.ts';
import type { HealthVerdict } from './health.ts';

/** What a sign is about. Two signs of one kind are one piece of evidence. */
export type SignKind = 'numbers' | 'length' | 'reward' | 'format' | 'entropy' | 'gradient' | 'kl' | 'scores' | 'text';

export interface Sign {
  kind: SignKind;
  /** One sentence for the operator, with the numbers it rests on. */
  sentence: string;
}

export interface RunningHealth {
  verdict: HealthVerdict;
  signs: Sign[];
}

/** Shares are of the first window's mean. All are ours; `bench/health` has the traces on which they were set, and others. */
export interface RunningLimits {
  /** Steps in a window. Nothing is said before there are two windows. */
  window: number;
  /** Standard errors by which two windows must differ. */
  certainty: number;
  lengthCollapse: number;
  entropyCollapse: number;
  entropyGrowth: number;
  gradientGrowth: number;
  /** Points of the accuracy reward that are lost. */
  accuracyFall: number;
  formatPerfect: number;
  formatLost: number;
  /** Share of a step's prompts whose answers all have one reward: nothing can be learnt from them. */
  flatReward: number;
  /** Nats of the KL term. */
  kl: number;
  /** Answers without which nothing is said of them, and the newest ones that are looked at. */
  fewestAnswers: number;
  newestAnswers: number;
  /** Share of answers with one same score; a score's standard deviation, of that at the start. */
  sameScore: number;
  spreadCollapse: number;
  /** Share of critiques that nearly repeat one of another pair, above that at the start. */
  sameText: number;
  similarity: number;
}

export const runningLimits: RunningLimits = {
  window: 10,
  certainty: 4,
  lengthCollapse: 0.75,
  entropyCollapse: 0.4,
  entropyGrowth: 2,
  gradientGrowth: 5,
  accuracyFall: 0.05,
  formatPerfect: 0.95,
  formatLost: 0.5,
  flatReward: 0.5,
  kl: 0.5,
  fewestAnswers: 24,
  newestAnswers: 48,
  sameScore: 0.5,
  spreadCollapse: 0.4,
  sameText: 0.3,
  similarity: 0.9,
};

/** `rows` are stitched and ascend by step, `answers` likewise. Missing columns and answers give no signs. */
export function judgeRunning(
  rows: readonly MetricsRow[],
  answers: readonly SampledStep[],
  limits = runningLimits,
): RunningHealth {
  const signs = [...signsOfRows(rows, limits), ...signsOfAnswers(answers, limits)];
  const kinds = new Set(signs.map(({ kind }) => kind));
  return { verdict: kinds.size === 0 ? 'healthy' : kinds.size === 1 ? 'warning' : 'sick', signs };
}

function signsOfRows(rows: readonly MetricsRow[], limits: RunningLimits): Sign[] {
  const change = (name: string) => changeOf(rows, name, limits);
  const broken = rows.filter((row) => (row.non_finite ?? []).length > 0).length;
  return [
    ...(broken === 0 ? [] : [sign('numbers', `${broken} logged steps hold NaN or infinity`)]),
    ...below('length', 'answers got shorter', change('response_length'), limits.lengthCollapse, limits),
    ...below('entropy', 'the entropy fell', change('entropy'), limits.entropyCollapse, limits),
    ...above('entropy', 'the entropy grew', change('entropy'), limits.entropyGrowth, limits),
    ...above('gradient', 'the gradient norm grew', change('grad_norm'), limits.gradientGrowth, limits),
    ...accuracySigns(rows, limits),
    ...flatSigns(rows, limits),
    ...klSigns(change('kl'), limits),
  ];
}

/** Accuracy on dev where it is measured, else on what is trained on: it falls, and worse, it falls while the form is perfect. */
function accuracySigns(rows: readonly MetricsRow[], limits: RunningLimits): Sign[] {
  const dev = changeOf(rows, 'validation_reward_l1', { ...limits, window: 2 });
  const [where, accuracy] = dev === undefined ? ['', changeOf(rows, 'reward_l1', limits)] : [' on dev', dev];
  const format = changeOf(rows, 'reward_format', limits);
  const lost = format !== undefined && format.last < limits.formatLost;
  const form = lost ? [sign('format', `only ${percent(format.last)} of the answers have the form`)] : [];
  if (accuracy === undefined || accuracy.last >= accuracy.first - limits.accuracyFall || !isCertain(accuracy, limits)) {
    return form;
  }
  const fell = `the accuracy reward${where} fell, ${numbers(accuracy)}`;
  const perfect = format !== undefined && format.last > limits.formatPerfect;
  return [...form, sign('reward', perfect ? `${fell}, while the form is perfect` : fell)];
}

/** Groups of answers with one reward each teach nothing. */
function flatSigns(rows: readonly MetricsRow[], { flatReward, window }: RunningLimits): Sign[] {
  const newest = valuesOf(rows, 'reward_std_zero').slice(-window);
  if (newest.length < window || mean(newest) <= flatReward) return [];
  return [
    sign('reward', `the answers to ${percent(mean(newest))} of the prompts all have one reward: nothing is learnt`),
  ];
}

function klSigns(change: Change | undefined, { kl }: RunningLimits): Sign[] {
  if (change === undefined || change.last <= kl) return [];
  return [sign('kl', `the KL term grew, ${numbers(change)}: the model leaves the one that it began with`)];
}

/** Scores and words of the newest sampled answers, beside those at the start. */
function signsOfAnswers(steps: readonly SampledStep[], limits: RunningLimits): Sign[] {
  const all = steps.flatMap(({ answers }) => answers.map(({ text }) => parseAnswer(text)));
  const read = all.flatMap((one) => (one.kind === 'scored' ? [one] : []));
  if (read.length < 2 * limits.fewestAnswers) return [];
  const [first, newest] = [read.slice(0, limits.newestAnswers), read.slice(-limits.newestAnswers)];
  const same = topShare(newest.map(({ score }) => score.toFixed(2)));
  const [before, after] = [spread(first), spread(newest)];
  const [once, again] = [repeated(first, limits), repeated(newest, limits)];
  return [
    ...(same > limits.sameScore ? [sign('scores', `${percent(same)} of the newest answers give one same score`)] : []),
    ...(same <= limits.sameScore && after < limits.spreadCollapse * before
      ? [
          sign(
            'scores',
            `the scores hardly differ any more: their standard deviation fell from ${before.toFixed(2)} to ${after.toFixed(2)} points`,
          ),
        ]
      : []),
    ...(again > once + limits.sameText
      ? [
          sign(
            'text',
            `${percent(again)} of the newest critiques nearly repeat one of another pair, ${percent(once)} at the start: a template`,
          ),
        ]
      : []),
  ];
}

function spread(answers: readonly { score: number }[]): number {
  const centre = mean(answers.map(({ score }) => score));
  return Math.sqrt(mean(answers.map(({ score }) => (score - centre) ** 2)));
}

function repeated(answers: readonly { think: string }[], { similarity }: RunningLimits): number {
  const texts = answers.flatMap(({ think }, index) => (think === '' ? [] : [{ id: String(index), text: think }]));
  return nearDuplicates(texts, similarity).length / answers.length;
}

/** Means of the first and the newest window of a column, and the standard error of their difference. */
interface Change {
  first: number;
  last: number;
  error: number;
}

/** Undefined before there are two windows of finite values. */
function changeOf(
  rows: readonly MetricsRow[],
  name: string,
  { window }: Pick<RunningLimits, 'window'>,
): Change | undefined {
  const values = valuesOf(rows, name);
  if (values.length < 2 * window) return undefined;
  const [first, last] = [values.slice(0, window), values.slice(-window)];
  return { first: mean(first), last: mean(last), error: Math.sqrt((variance(first) + variance(last)) / window) };
}

function valuesOf(rows: readonly MetricsRow[], name: string): number[] {
  return rows.flatMap((row) => {
    const value = row[name];
    return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
  });
}

/** Of a sample: divided by one less than its size. */
function variance(values: readonly number[]): number {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
}

function isCertain({ first, last, error }: Change, { certainty }: RunningLimits): boolean {
  return Math.abs(last - first) > certainty * error;
}

function below(kind: SignKind, what: string, change: Change | undefined, share: number, limits: RunningLimits): Sign[] {
  if (change === undefined || change.last >= share * change.first || !isCertain(change, limits)) return [];
  return [sign(kind, `${what}, ${numbers(change)}`)];
}

function above(kind: SignKind, what: string, change: Change | undefined, times: number, limits: RunningLimits): Sign[] {
  if (change === undefined || change.first <= 0 || change.last <= times * change.first || !isCertain(change, limits))
    return [];
  return [sign(kind, `${what}, ${numbers(change)}`)];
}

function numbers({ first, last }: Change): string {
  return `from ${first.toPrecision(3)} to ${last.toPrecision(3)}`;
}

function sign(kind: SignKind, sentence: string): Sign {
  return { kind, sentence };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
