/**
 * Running: what the numbers and sampled answers of a GRPO training say while it runs. Looked at every step, so each sign compares the means of two windows of
 * steps and wants a difference that noise does not make. One sign may be a false alarm: the verdict `sick` needs two of different kinds. Pure.
 *
 * `judgeTraining` (health.ts) looks back at a whole run. `npm run bench:health` measures both the delay and the false alarms of what is here.
 */
import { topShare } from '../evaluation/evaluation.ts';
import { nearDuplicates } from '../critique/repetition.ts';
import { parseAnswer } from '../critique/score.ts';
import { agreement, mean } from '../evaluation/metrics.ts';
import type { MetricsRow, SampledStep } from '../manifest.ts';

/** What a sign is about. Two signs of one kind are one piece of evidence. */
export type SignKind = 'numbers' | 'length' | 'reward' | 'format' | 'entropy' | 'gradient' | 'kl' | 'scores' | 'text';

export interface Sign {
  kind: SignKind;
  /** One sentence for the operator, with the numbers it rests on. */
  sentence: string;
}

export interface RunningHealth {
  verdict: 'healthy' | 'warning' | 'sick';
  signs: Sign[];
}

/** Shares are of the first window's mean. All are ours; `bench/health` has the traces on which they were set, and others. */
export interface RunningLimits {
  /** Steps at the start that the newest ones are compared with, and how many newest ones. Nothing is said of them before there are both. */
  start: number;
  window: number;
  /** Standard errors by which the two must differ. */
  certainty: number;
  lengthCollapse: number;
  entropyCollapse: number;
  entropyGrowth: number;
  gradientGrowth: number;
  /** Points of the accuracy reward that are lost, and of the share of answers with the form. */
  accuracyFall: number;
  formatFall: number;
  formatPerfect: number;
  formatLost: number;
  /** Share of a step's prompts whose answers all have one reward: nothing can be learnt from them. */
  flatReward: number;
  /** The standard deviation of rewards within a prompt, of that at the start, where accuracy has not risen. */
  rewardSpread: number;
  /** A blind reward: the mean accuracy reward is at least the first, while the newest scores miss people's by at least the second, in points. */
  blindReward: number;
  blindError: number;
  /** Nats of the KL term. */
  kl: number;
  /** Answers without which nothing is said of them, and the newest ones that are looked at. */
  fewestAnswers: number;
  newestAnswers: number;
  /** Share of answers with one same score; a score's standard deviation, of that at the start. */
  sameScore: number;
  spreadCollapse: number;
  /** Rank correlation with people's scores that is lost, and the standard errors that it must be: of few answers it goes up and down by itself. */
  agreementFall: number;
  agreementCertainty: number;
  /** Share of critiques that nearly repeat one of another pair, above that at the start. */
  sameText: number;
  similarity: number;
}

export const runningLimits: RunningLimits = {
  start: 5,
  window: 10,
  certainty: 4,
  lengthCollapse: 0.75,
  entropyCollapse: 0.4,
  entropyGrowth: 1.3,
  gradientGrowth: 2,
  accuracyFall: 0.05,
  formatFall: 0.05,
  formatPerfect: 0.95,
  formatLost: 0.5,
  flatReward: 0.5,
  rewardSpread: 0.7,
  blindReward: 0.9,
  blindError: 0.4,
  kl: 0.5,
  fewestAnswers: 24,
  newestAnswers: 48,
  sameScore: 0.5,
  spreadCollapse: 0.6,
  agreementFall: 0.4,
  agreementCertainty: 3,
  sameText: 0.3,
  similarity: 0.9,
};

/** `rows` are stitched and ascend by step, `answers` likewise. Missing columns and answers give no signs. */
export function judgeRunning(
  rows: readonly MetricsRow[],
  answers: readonly SampledStep[],
  limits = runningLimits,
): RunningHealth {
  const signs = [...signsOfRows(rows, limits), ...signsOfAnswers(rows, answers, limits)];
  const kinds = new Set(signs.map(({ kind }) => kind));
  return { verdict: kinds.size === 0 ? 'healthy' : kinds.size === 1 ? 'warning' : 'sick', signs };
}

function signsOfRows(rows: readonly MetricsRow[], limits: RunningLimits): Sign[] {
  const change = (name: string) => changeOf(rows, name, limits);
  const newest = rows.slice(-limits.window);
  const broken = newest.filter((row) => (row.non_finite ?? []).length > 0).length;
  return [
    ...(broken === 0
      ? []
      : [sign('numbers', `${broken} of the newest ${newest.length} logged steps hold NaN or infinity`)]),
    ...below('length', 'answers got shorter', change('response_length'), limits.lengthCollapse, limits),
    ...below('entropy', 'the entropy fell', change('entropy'), limits.entropyCollapse, limits),
    ...above('entropy', 'the entropy grew', change('entropy'), limits.entropyGrowth, limits),
    ...above('gradient', 'the gradient norm grew', change('grad_norm'), limits.gradientGrowth, limits),
    ...accuracySigns(rows, limits),
    ...formatSigns(change('reward_format'), limits),
    ...flatSigns(rows, limits),
    ...klSigns(change('kl'), limits),
  ];
}

/** Accuracy on dev where it is measured, else on what is trained on: it falls, and worse, it falls while the form is perfect. */
function accuracySigns(rows: readonly MetricsRow[], limits: RunningLimits): Sign[] {
  const dev = changeOf(rows, 'validation_reward_l1', { start: 1, window: 2 });
  const [where, accuracy] = dev === undefined ? ['', changeOf(rows, 'reward_l1', limits)] : [' on dev', dev];
  if (accuracy === undefined || accuracy.last >= accuracy.first - limits.accuracyFall || !isCertain(accuracy, limits)) {
    return [];
  }
  const fell = `the accuracy reward${where} fell, ${numbers(accuracy)}`;
  const format = changeOf(rows, 'reward_format', limits)?.last ?? 0;
  return [sign('reward', format > limits.formatPerfect ? `${fell}, while the form is perfect` : fell)];
}

/** Answers that have not the form, or have it less and less. A training that begins without the form and is learning it is well. */
function formatSigns(format: Change | undefined, limits: RunningLimits): Sign[] {
  if (format === undefined || (format.last > format.first && isCertain(format, limits))) return [];
  if (format.last < limits.formatLost)
    return [sign('format', `only ${percent(format.last)} of the answers have the form`)];
  if (format.last >= format.first - limits.formatFall || !isCertain(format, limits)) return [];
  return [sign('format', `fewer answers have the form, ${numbers(format)}`)];
}

/** Groups of answers with one reward each teach nothing. Also asked at a training's end (`judgeTraining`). */
export function flatSigns(rows: readonly MetricsRow[], limits: RunningLimits): Sign[] {
  const newest = valuesOf(rows, 'reward_std_zero').slice(-limits.window);
  if (newest.length === limits.window && mean(newest) > limits.flatReward) {
    return [
      sign('reward', `the answers to ${percent(mean(newest))} of the prompts all have one reward: nothing is learnt`),
    ];
  }
  const [within, accuracy] = [changeOf(rows, 'reward_std', limits), changeOf(rows, 'reward_l1', limits)];
  if (within === undefined || within.last >= limits.rewardSpread * within.first || !isCertain(within, limits))
    return [];
  if (accuracy !== undefined && accuracy.last > accuracy.first) return [];
  return [sign('reward', `answers to one prompt differ less in reward, ${numbers(within)}, and are no better`)];
}

function klSigns(change: Change | undefined, { kl }: RunningLimits): Sign[] {
  if (change === undefined || change.last <= kl) return [];
  return [sign('kl', `the KL term grew, ${numbers(change)}: the model leaves the one that it began with`)];
}

/** Scores and words of the newest sampled answers, beside those at the start. */
function signsOfAnswers(rows: readonly MetricsRow[], steps: readonly SampledStep[], limits: RunningLimits): Sign[] {
  const all = steps.flatMap(({ answers }) => answers.map(({ text, mos }) => ({ ...parseAnswer(text), mos })));
  const read = all.flatMap((one) => (one.kind === 'scored' ? [one] : []));
  if (read.length < 2 * limits.fewestAnswers) return [];
  const half = Math.min(limits.newestAnswers, Math.floor(read.length / 2));
  const [first, newest] = [read.slice(0, half), read.slice(-half)];
  const [once, again] = [repeated(first, limits), repeated(newest, limits)];
  const template =
    again > once + limits.sameText
      ? [
          sign(
            'text',
            `${percent(again)} of the newest critiques nearly repeat one of another pair, ${percent(once)} at the start: a template`,
          ),
        ]
      : [];
  return [...scoreSigns(first, newest, limits), ...blindSigns(rows, newest, limits), ...template];
}

/**
 * A reward that does not see the scores: it is near its best while they are far from people's. In a training that has come to its end rewards are all
 * alike and near 1 too, but the scores are right. With a floor of 0.9 and more a reward is nearly blind by its recipe.
 */
function blindSigns(rows: readonly MetricsRow[], newest: readonly ReadAnswer[], limits: RunningLimits): Sign[] {
  const rewards = valuesOf(rows, 'reward_l1').slice(-limits.window);
  if (rewards.length < limits.window || mean(rewards) < limits.blindReward) return [];
  const error = mean(newest.map(({ score, mos }) => Math.abs(score - mos)));
  if (error < limits.blindError) return [];
  const [paid, missed] = [mean(rewards).toFixed(2), error.toFixed(2)];
  return [
    sign(
      'scores',
      `the accuracy reward is ${paid}, though the newest scores miss people’s by ${missed} points: it does not see them`,
    ),
  ];
}

interface ReadAnswer {
  score: number;
  mos: number;
  think: string;
}

/** Rigid scores: one same score, scores that hardly differ, or scores that have nothing to do with people's any more. */
function scoreSigns(first: readonly ReadAnswer[], newest: readonly ReadAnswer[], limits: RunningLimits): Sign[] {
  const same = topShare(newest.map(({ score }) => score.toFixed(2)));
  const known = topShare(first.map(({ score }) => score.toFixed(2)));
  if (same > limits.sameScore && same > known) {
    return [sign('scores', `${percent(same)} of the newest answers give one same score`)];
  }
  const [before, after] = [spread(first), spread(newest)];
  if (after < limits.spreadCollapse * before) {
    const change = `from ${before.toFixed(2)} to ${after.toFixed(2)} points`;
    return [sign('scores', `the scores differ less and less: their standard deviation fell ${change}`)];
  }
  const [agreed, agrees] = [following(first), following(newest)];
  const error = Math.sqrt(1 / (first.length - 1) + 1 / (newest.length - 1)); // of two rank correlations near 0
  if (agreed - agrees <= Math.max(limits.agreementFall, limits.agreementCertainty * error)) return [];
  return [
    sign(
      'scores',
      `the scores follow people’s no more: their rank correlation fell from ${agreed.toFixed(2)} to ${agrees.toFixed(2)}`,
    ),
  ];
}

/** Rank correlation with people's scores; 0 where all are the same. */
function following(answers: readonly ReadAnswer[]): number {
  return agreement(answers.map(({ score, mos }) => ({ predicted: score, mos }))).srcc ?? 0;
}

function spread(answers: readonly { score: number }[]): number {
  const centre = mean(answers.map(({ score }) => score));
  return Math.sqrt(mean(answers.map(({ score }) => (score - centre) ** 2)));
}

function repeated(answers: readonly { think: string }[], { similarity }: RunningLimits): number {
  const texts = answers.flatMap(({ think }, index) => (think === '' ? [] : [{ id: String(index), text: think }]));
  return nearDuplicates(texts, similarity).length / answers.length;
}

/** Means of a column at the start and over the newest steps, and the standard error of their difference. */
interface Change {
  first: number;
  last: number;
  error: number;
}

/** Undefined before there are both. The noise of a step follows from the differences of neighbours, so that a trend does not count as noise. */
function changeOf(
  rows: readonly MetricsRow[],
  name: string,
  { start, window }: Pick<RunningLimits, 'start' | 'window'>,
): Change | undefined {
  const values = valuesOf(rows, name);
  if (values.length < start + window) return undefined;
  const [first, last] = [mean(values.slice(0, start)), mean(values.slice(-window))];
  const jumps = values.slice(1).map((value, index) => (value - (values[index] ?? value)) ** 2);
  return { first, last, error: Math.sqrt((mean(jumps) / 2) * (1 / start + 1 / window)) };
}

function valuesOf(rows: readonly MetricsRow[], name: string): number[] {
  return rows.flatMap((row) => {
    const value = row[name];
    return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
  });
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
