/**
 * Metrics: agreement of predicted scores with mean opinion scores, as the paper measures it (arXiv 2511.18055,
 * scripts/iebench_eval.py): PLCC after a 4-parameter logistic fit, SRCC on raw scores, MainScore their mean. What is
 * undefined (a constant predictor has no correlation) is null, never NaN and never 0.
 */
import { fitLogistic } from './logistic-fit.ts';
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
  /** PLCC after the logistic fit; null where the fit does not converge or predictions are constant. */
  plccFit: number | null;
  srcc: number | null;
  /** Kendall's tau-b. */
  krcc: number | null;
  /** On raw scores, in score points. */
  rmse: number | null;
  /** (plccFit + srcc) / 2. */
  mainScore: number | null;
}

/**
 * Agreement of the readable predictions, whose order does not matter. Correlations lie in [−1, 1]. Formulas: Pearson,
 * Spearman on mean ranks, Kendall's tau-b (Kendall 1945), logistic fit as in `logistic-fit.ts`; all held to scipy by
 * tests/golden/metrics.json. How many answers were unreadable is the caller's to report: they are not in here.
 */
export function agreement(items: readonly Scored[]): Agreement {
  const x = items.map((item) => item.predicted);
  const y = items.map((item) => item.mos);
  const srcc = pearson(ranks(x), ranks(y));
  const fitted = srcc === null ? null : fitLogistic(x, y);
  const plccFit = fitted === null ? null : pearson(fitted, y);
  return {
    n: items.length,
    plcc: pearson(x, y),
    plccFit,
    srcc,
    krcc: kendall(x, y),
    rmse: items.length === 0 ? null : Math.sqrt(mean(items.map((item) => (item.predicted - item.mos) ** 2))),
    mainScore: plccFit === null || srcc === null ? null : (plccFit + srcc) / 2,
  };
}

/** Spearman's rank correlation with mean ranks for ties, in [−1, 1]; null for fewer than two items or a constant side. */
export function spearman(items: readonly Scored[]): number | null {
  return pearson(ranks(items.map((item) => item.predicted)), ranks(items.map((item) => item.mos)));
}

/** Pearson's r in [−1, 1]; null for fewer than two items, unequal lengths, no variance on one side, NaN or infinity. */
export function pearson(x: readonly number[], y: readonly number[]): number | null {
  if (x.length < 2 || x.length !== y.length) return null;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (const [i, value] of x.entries()) {
    const [dx, dy] = [value - mx, (y[i] ?? 0) - my];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  // Rounding leaves a trace of variance in equal numbers: relative to their size it is none.
  const none = (squares: number, level: number) => squares <= 1e-18 * x.length * Math.max(1, level * level);
  if (none(xx, mx) || none(yy, my)) return null;
  const r = xy / Math.sqrt(xx * yy);
  return Number.isFinite(r) ? Math.max(-1, Math.min(1, r)) : null;
}

/** Ranks from 1; equal values share their mean rank. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((value, index) => ({ value, index })).toSorted((a, b) => a.value - b.value);
  const result = Array.from({ length: values.length }, () => 0);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && order[end]?.value === order[start]?.value) end += 1;
    for (const { index } of order.slice(start, end)) result[index] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

/** Kendall's tau-b, which corrects for ties; null if one side is constant. O(n²): a thousand items take milliseconds. */
export function kendall(x: readonly number[], y: readonly number[]): number | null {
  let [balance, tiedX, tiedY, pairs] = [0, 0, 0, 0];
  for (let i = 0; i < x.length; i += 1) {
    for (let j = i + 1; j < x.length; j += 1) {
      const dx = Math.sign((x[i] ?? 0) - (x[j] ?? 0));
      const dy = Math.sign((y[i] ?? 0) - (y[j] ?? 0));
      balance += dx * dy;
      tiedX += dx === 0 ? 1 : 0;
      tiedY += dy === 0 ? 1 : 0;
      pairs += 1;
    }
  }
  const scale = Math.sqrt((pairs - tiedX) * (pairs - tiedY));
  return scale === 0 ? null : balance / scale;
}

/**
 * Bounds of a 95 % percentile bootstrap interval (Efron 1979), low ≤ high, in the statistic's unit; null without items or if
 * the statistic was undefined in more than 5 % of resamples.
 */
export type Interval = [low: number, high: number] | null;

/**
 * Bootstrap over items: `statistic` of `resamples` resamples of `items` with repetition, drawn with `random`. Paired: let an
 * item hold both models' answers to one pair and the statistic be their difference, so that both see the same resample.
 */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (sample: T[]) => number | null,
  random: Random,
  resamples = 1000,
): Interval {
  if (items.length === 0) return null;
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
