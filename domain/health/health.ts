/**
 * Health: what logged numbers and answers say about GRPO. It warns and does not stop a run. Single signals have false positives
 * on real runs, so the verdict `sick` needs two signals of different kinds. Pure.
 */
import { topShare } from '../evaluation/evaluation.ts';
import { nearDuplicates } from '../critique/repetition.ts';
import type { MetricsRow } from '../manifest.ts';
import { mean } from '../evaluation/metrics.ts';
import { flatSigns, runningLimits } from './running.ts';
import { movingMean } from './stitch.ts';

/** What a finding is about. Each signal is its own kind of evidence. */
export const signals = [
  'numbers',
  'length-collapse',
  'length-growth',
  'format-over-accuracy',
  'flat-reward',
  'entropy-collapse',
  'gradient-growth',
  'same-score',
  'no-spread',
  'template',
] as const;
export type Signal = (typeof signals)[number];

export interface Finding {
  signal: Signal;
  level: 'good' | 'warning';
  /** One sentence for the operator, with the numbers it rests on. */
  sentence: string;
}

/** Shares are in [0, 1]. A ratio is the last part of the run over the first. */
export interface HealthThresholds {
  /** Fewer logged values than this show no trend. */
  minValues: number;
  /**
   * Answer length that stays below this share of the start's is a collapse. The published healthy run grows from 358 to
   * 402 tokens (Coobiw/IE-Critic-R1@357c239, asset/curve.png). 0.9 is ours and leaves room for noise.
   */
  lengthCollapse: number;
  /** Growth beyond this share is noted as good: with l1 the published run's answers grew by a factor of 1.12. */
  lengthGrowth: number;
  /** Format reward above this counts as perfect, and accuracy falling by more than `accuracyFall` as falling. Ours. */
  formatPerfect: number;
  accuracyFall: number;
  /** Entropy below this share of the start's: exploration is over (DAPO, arXiv 2503.14476, §3.1, shows it near zero). */
  entropyCollapse: number;
  /** Gradient norm that stays above this multiple of the start's. Ours. */
  gradientGrowth: number;
  /** Share of answers with one same score, and of critiques that nearly repeat another pair's. Ours. */
  sameScore: number;
  sameText: number;
  /** MinHash similarity from which two critiques are near-identical; see `nearDuplicates`. */
  similarity: number;
  /** Standard deviation of scores, in points, below which they do not spread. MOS have about 1. Ours. */
  minSpread: number;
}

const healthThresholds: HealthThresholds = {
  minValues: 10,
  lengthCollapse: 0.9,
  lengthGrowth: 1.05,
  formatPerfect: 0.95,
  accuracyFall: 0.05,
  entropyCollapse: 0.1,
  gradientGrowth: 10,
  sameScore: 0.5,
  sameText: 0.5,
  similarity: 0.9,
  minSpread: 0.1,
};

export type HealthVerdict = 'healthy' | 'warning' | 'sick';

/** Without a warning a run is healthy; one signal is a warning, two signals are sick. Good findings do not outweigh warnings. */
export function healthVerdict(findings: readonly Finding[]): HealthVerdict {
  const warnings = new Set(findings.filter((one) => one.level === 'warning').map((one) => one.signal));
  if (warnings.size === 0) return 'healthy';
  return warnings.size === 1 ? 'warning' : 'sick';
}

/**
 * Findings on a GRPO run's stitched metrics, ascending by step. Missing columns give no findings. Trends compare the first
 * tenth's mean with the last tenth's, and are reported only if every moving mean of the last tenth says so too.
 */
export function judgeTraining(rows: readonly MetricsRow[], limits = healthThresholds): Finding[] {
  const broken = rows.filter((row) => (row.non_finite ?? []).length > 0);
  const numbers = broken.length === 0 ? [] : [warning('numbers', `${broken.length} logged steps hold NaN or infinity`)];
  return [
    ...numbers,
    ...judgeLength(rows, limits),
    ...judgeReward(rows, limits),
    ...judgeDrift(rows, limits, 'entropy'),
    ...judgeDrift(rows, limits, 'grad_norm'),
  ];
}

/** Findings on answers to different pairs: the same score too often, scores that hardly differ, the same text too often. */
export function judgeAnswers(
  answers: readonly { score: number; think: string }[],
  limits = healthThresholds,
): Finding[] {
  if (answers.length < limits.minValues) return [];
  const scores = answers.map((answer) => answer.score);
  const same = topShare(scores.map((score) => score.toFixed(2)));
  const centre = mean(scores);
  const spread = Math.sqrt(mean(scores.map((score) => (score - centre) ** 2)));
  const texts = answers.flatMap(({ think }, i) => (think === '' ? [] : [{ id: String(i), text: think }]));
  const repeated = nearDuplicates(texts, limits.similarity).length / answers.length;
  return [
    ...(same > limits.sameScore ? [warning('same-score', `${percent(same)} of the answers give the same score`)] : []),
    ...(spread < limits.minSpread
      ? [warning('no-spread', `the scores hardly differ: standard deviation ${spread.toFixed(3)} points`)]
      : []),
    ...(repeated > limits.sameText
      ? [warning('template', `${percent(repeated)} of the critiques nearly repeat one of another pair: a template`)]
      : []),
  ];
}

function judgeLength(rows: readonly MetricsRow[], limits: HealthThresholds): Finding[] {
  const trend = trendOf(rows, 'response_length', limits.minValues);
  if (trend === undefined) return [];
  const change = `from ${trend.first.toFixed(1)} to ${trend.last.toFixed(1)} tokens`;
  if (trend.highest < trend.first * limits.lengthCollapse) {
    return [warning('length-collapse', `answers got shorter, ${change}: length collapse`)];
  }
  if (trend.lowest > trend.first * limits.lengthGrowth) {
    return [{ signal: 'length-growth', level: 'good', sentence: `answers grew, ${change}` }];
  }
  return [];
}

/** Falling accuracy and a flat reward are one piece of evidence, as they are while it runs. */
function judgeReward(rows: readonly MetricsRow[], limits: HealthThresholds): Finding[] {
  const format = judgeFormat(rows, limits);
  if (format.length > 0) return format;
  return flatSigns(rows, runningLimits).map(({ sentence }) => warning('flat-reward', sentence));
}

function judgeFormat(rows: readonly MetricsRow[], limits: HealthThresholds): Finding[] {
  const accuracy = trendOf(rows, 'reward_l1', limits.minValues);
  const format = trendOf(rows, 'reward_format', limits.minValues);
  if (accuracy === undefined || format === undefined) return [];
  const falls = accuracy.highest < accuracy.first - limits.accuracyFall;
  if (!falls || format.last <= limits.formatPerfect) return [];
  const change = `from ${accuracy.first.toFixed(2)} to ${accuracy.last.toFixed(2)}`;
  return [warning('format-over-accuracy', `accuracy fell ${change} while format is perfect: look for reward hacking`)];
}

function judgeDrift(rows: readonly MetricsRow[], limits: HealthThresholds, name: 'entropy' | 'grad_norm'): Finding[] {
  const trend = trendOf(rows, name, limits.minValues);
  if (trend === undefined || trend.first <= 0) return [];
  const change = `from ${trend.first.toPrecision(2)} to ${trend.last.toPrecision(2)}`;
  if (name === 'entropy') {
    if (trend.highest >= trend.first * limits.entropyCollapse) return [];
    return [warning('entropy-collapse', `entropy fell ${change}: the critic has stopped exploring`)];
  }
  if (trend.lowest <= trend.first * limits.gradientGrowth) return [];
  return [warning('gradient-growth', `the gradient norm grew ${change}: training is about to diverge`)];
}

/** Means of the first and last tenth of a column, and the bounds of the moving means (over half a tenth) within the last. */
interface Trend {
  first: number;
  last: number;
  lowest: number;
  highest: number;
}

function trendOf(rows: readonly MetricsRow[], name: string, minValues: number): Trend | undefined {
  const values = rows.flatMap((row) => {
    const value = row[name];
    return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
  });
  if (values.length < Math.max(1, minValues)) return undefined;
  const part = Math.ceil(values.length / 10);
  const recent = movingMean(values, Math.ceil(part / 2)).slice(-part);
  return {
    first: mean(values.slice(0, part)),
    last: mean(values.slice(-part)),
    lowest: Math.min(...recent),
    highest: Math.max(...recent),
  };
}

function warning(signal: Signal, sentence: string): Finding {
  return { signal, level: 'warning', sentence };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
