/**
 * Metrics: agreement of predicted scores with mean opinion scores, as the paper measures it (arXiv 2511.18055,
 * scripts/iebench_eval.py): PLCC after a 4-parameter logistic fit, SRCC on raw scores, and MainScore, their mean. An
 * undefined value (a constant predictor has no correlation) is null, never NaN and never 0.
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

/**
 * Agreement of the readable predictions; their order does not matter. Correlations are in [−1, 1]. Formulas: Pearson,
 * Spearman on mean ranks, Kendall's tau-b (Kendall 1945), logistic fit as in `logistic-fit.ts`. tests/golden/metrics.json holds
 * all of them to scipy. Unreadable answers are not in here: the caller reports how many there were.
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

/** Spearman's rank correlation with mean ranks for ties, in [−1, 1]; null for fewer than two items, a constant side or NaN. */
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
  // Rounding leaves a trace of variance in equal numbers. Relative to their size it is nothing.
  const none = (squares: number, level: number) => squares <= 1e-18 * x.length * Math.max(1, level * level);
  if (none(xx, mx) || none(yy, my)) return null;
  const r = xy / Math.sqrt(xx * yy);
  return Number.isFinite(r) ? Math.max(-1, Math.min(1, r)) : null;
}

/** Ranks from 1. Equal values share their mean rank. If one value is NaN, all ranks are: it has no place among the others. */
export function ranks(values: readonly number[]): number[] {
  if (values.some(Number.isNaN)) return values.map(() => Number.NaN);
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

/**
 * Kendall's tau-b in [−1, 1], which corrects for ties; null if one side is constant, for unequal lengths, NaN or infinity.
 * O(n log n) after Knight (1966), "A computer method for calculating Kendall's tau with ungrouped data": sorted by x and then
 * y, the discordant pairs are the exchanges by which a merge sort orders y. All counts are whole numbers, so it is exact.
 */
export function kendall(x: readonly number[], y: readonly number[]): number | null {
  if (x.length !== y.length || !x.every(Number.isFinite) || !y.every(Number.isFinite)) return null;
  const order = Uint32Array.from(x.keys()).toSorted((a, b) => (x[a] ?? 0) - (x[b] ?? 0) || (y[a] ?? 0) - (y[b] ?? 0));
  const byX = Float64Array.from(order, (index) => x[index] ?? 0);
  const byXThenY = Float64Array.from(order, (index) => y[index] ?? 0);
  const pairs = (x.length * (x.length - 1)) / 2;
  const tiedX = tiedPairs(x.length, (i) => byX[i] === byX[i - 1]);
  const tiedBoth = tiedPairs(x.length, (i) => byX[i] === byX[i - 1] && byXThenY[i] === byXThenY[i - 1]);
  const byY = byXThenY.toSorted();
  const tiedY = tiedPairs(x.length, (i) => byY[i] === byY[i - 1]);
  const discordant = exchanges(byXThenY);
  const scale = Math.sqrt((pairs - tiedX) * (pairs - tiedY));
  return scale === 0 ? null : (pairs - tiedX - tiedY + tiedBoth - 2 * discordant) / scale;
}

/** Pairs of equal items among `count` sorted ones, where `equal(i)` says whether item i equals the one before. */
function tiedPairs(count: number, equal: (i: number) => boolean): number {
  let [pairs, run] = [0, 0];
  for (let i = 1; i < count; i += 1) {
    run = equal(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** Pairs in falling order, which are what a merge sort exchanges. The order of `values` afterwards is undefined. */
function exchanges(values: Float64Array): number {
  let from = values;
  let to: Float64Array = new Float64Array(values.length);
  let count = 0;
  for (let width = 1; width < values.length; width *= 2) {
    for (let start = 0; start < values.length; start += 2 * width) {
      const middle = Math.min(start + width, values.length);
      const end = Math.min(start + 2 * width, values.length);
      let [left, right] = [start, middle];
      for (let at = start; at < end; at += 1) {
        if (left < middle && (right >= end || (from[left] ?? 0) <= (from[right] ?? 0))) {
          to[at] = from[left] ?? 0;
          left += 1;
        } else {
          to[at] = from[right] ?? 0;
          right += 1;
          count += middle - left;
        }
      }
    }
    [from, to] = [to, from];
  }
  return count;
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
