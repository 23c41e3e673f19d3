/**
 * Metrics: agreement of predicted scores with mean opinion scores, as the paper measures it (arXiv 2511.18055,
 * scripts/iebench_eval.py): PLCC after a 4-parameter logistic fit, SRCC on raw scores, and MainScore, their mean. An
 * undefined value (a constant predictor has no correlation) is null, never NaN and never 0.
 */
import { ScoredPairs } from './scored-pairs.ts';
import type { Random } from './seeded-random.ts';

/** One readable prediction of a pair. Both in [1, 5]. */
export interface Scored {
  predicted: number;
  mos: number;
}

export interface Agreement {
  /** Readable predictions. */
  n: number;
  plcc: number | null;
  /** PLCC after the logistic fit; null if the fit does not converge or predictions are constant. */
  plccFit: number | null;
  srcc: number | null;
  /** Kendall's tau-b. */
  krcc: number | null;
  /** On raw scores, in score points. */
  rmse: number | null;
  /** (plccFit + srcc) / 2. */
  mainScore: number | null;
}

/** Agreement of the readable predictions, by `scored-pairs.ts`; their order does not matter. Unreadable answers are not in here: the caller counts them. */
export function agreement(items: readonly Scored[]): Agreement {
  const pairs = new ScoredPairs(
    items.map((item) => item.predicted),
    items.map((item) => item.mos),
  );
  const ones = pairs.ones();
  const [srcc, plccFit] = [pairs.spearman(ones), pairs.plccFit(ones)];
  return {
    n: items.length,
    plcc: pairs.pearson(ones),
    plccFit,
    srcc,
    krcc: pairs.kendall(ones),
    rmse: pairs.rmse(ones),
    mainScore: plccFit === null || srcc === null ? null : (plccFit + srcc) / 2,
  };
}

/**
 * Bounds of a 95 % percentile bootstrap interval (Efron 1979), low ≤ high, in the statistic's unit; null without items or resamples, or if
 * the statistic was undefined in more than 5 % of resamples.
 */
export type Interval = [low: number, high: number] | null;

/**
 * Bootstrap over items: `statistic` of `resamples` resamples of `items` with repetition, drawn with `random`. For a paired
 * bootstrap an item holds both models' answers to one pair, and the statistic is their difference.
 */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (sample: T[]) => number | null,
  random: Random,
  resamples = 1000,
): Interval {
  if (items.length === 0 || resamples === 0) return null;
  const values: number[] = [];
  for (let i = 0; i < resamples; i += 1) {
    const sample = items.flatMap(() => items[Math.floor(random() * items.length)] ?? []);
    const value = statistic(sample);
    if (value !== null) values.push(value);
  }
  if (values.length < resamples * 0.95) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return [at(0.025), at(0.975)];
}

/** Arithmetic mean; NaN for no values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
