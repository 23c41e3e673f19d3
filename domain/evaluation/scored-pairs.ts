/**
 * Scored pairs: agreement of predictions with opinions, for any number of resamples of the same pairs. What all resamples share (the order of
 * both sides, which values are equal) is found once. A resample is a weight for each pair: how often it was drawn. So each metric but Kendall's
 * costs O(n) a resample, and nothing is copied or sorted. With weights of 1 it is the metric of the pairs themselves.
 *
 * Formulas: Pearson, Spearman on mean ranks, Kendall's tau-b (Kendall 1945), RMSE, Pearson after the logistic fit (`logistic-fit.ts`).
 * tests/golden/metrics.json holds all of them to scipy.
 */
import { fitLogistic, logisticCurve } from './logistic-fit.ts';

/** How often each pair was drawn: whole numbers from 0, as many as there are pairs. */
export type Weights = Float64Array;

/** Values in rising order, equal ones in one group. */
interface Groups {
  /** Group of each pair. */
  of: Uint32Array;
  /** Value of each group, rising. */
  values: Float64Array;
}

export class ScoredPairs {
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #isFinite: boolean;
  readonly #groupsX: Groups;
  readonly #groupsY: Groups;
  /** Pairs in rising order of x, then y. */
  readonly #order: Uint32Array;

  /** `predicted` and `mos` belong together by their index. Where one is NaN or infinite, all metrics are null. Throws for unequal lengths: a bug. */
  constructor(predicted: readonly number[], mos: readonly number[]) {
    if (predicted.length !== mos.length) throw new Error(`${predicted.length} predictions of ${mos.length} opinions`);
    this.#x = Float64Array.from(predicted);
    this.#y = Float64Array.from(mos);
    this.#isFinite = this.#x.every(Number.isFinite) && this.#y.every(Number.isFinite);
    this.#groupsX = groupsOf(this.#x);
    this.#groupsY = groupsOf(this.#y);
    const [x, y] = [this.#groupsX.of, this.#groupsY.of];
    this.#order = Uint32Array.from(x.keys()).toSorted((a, b) => at(x, a) - at(x, b) || at(y, a) - at(y, b));
  }

  /** The weights of the pairs themselves. */
  ones(): Weights {
    return new Float64Array(this.#x.length).fill(1);
  }

  /** In [−1, 1]; null for fewer than two pairs or no variance on one side. */
  pearson(weights: Weights): number | null {
    return this.#isFinite ? correlation(this.#x, this.#y, weights) : null;
  }

  /** In [−1, 1]; equal values share their mean rank; null as for `pearson`. */
  spearman(weights: Weights): number | null {
    if (!this.#isFinite) return null;
    return correlation(ranksOf(this.#groupsX, weights), ranksOf(this.#groupsY, weights), weights);
  }

  /** On raw scores, in score points, ≥ 0; null without pairs. */
  rmse(weights: Weights): number | null {
    if (!this.#isFinite) return null;
    let [squares, count] = [0, 0];
    for (let i = 0; i < weights.length; i += 1) {
      squares += at(weights, i) * (at(this.#x, i) - at(this.#y, i)) ** 2;
      count += at(weights, i);
    }
    return count === 0 ? null : Math.sqrt(squares / count);
  }

  /**
   * Kendall's tau-b in [−1, 1], which corrects for ties; null if one side is constant. O(n log n): pairs come in rising order of x, and a Fenwick
   * tree (Fenwick 1994) counts those before with a greater y. All counts are whole numbers, so it is exact.
   */
  kendall(weights: Weights): number | null {
    if (!this.#isFinite) return null;
    const [x, y] = [this.#groupsX.of, this.#groupsY.of];
    const seen = new Float64Array(this.#groupsY.values.length + 1);
    let [total, discordant, tiedBoth] = [0, 0, 0];
    for (let start = 0; start < this.#order.length;) {
      const group = at(x, at(this.#order, start));
      let end = start;
      let [run, value] = [0, -1];
      for (; end < this.#order.length && at(x, at(this.#order, end)) === group; end += 1) {
        const i = at(this.#order, end);
        discordant += at(weights, i) * (total - sumUpTo(seen, at(y, i) + 1));
        if (at(y, i) !== value) [tiedBoth, run, value] = [tiedBoth + pairsOf(run), 0, at(y, i)];
        run += at(weights, i);
      }
      tiedBoth += pairsOf(run);
      for (let k = start; k < end; k += 1) {
        const i = at(this.#order, k);
        addAt(seen, at(y, i) + 1, at(weights, i));
        total += at(weights, i);
      }
      start = end;
    }
    const pairs = pairsOf(total);
    const [tiedX, tiedY] = [tiedPairs(this.#groupsX, weights), tiedPairs(this.#groupsY, weights)];
    const scale = Math.sqrt((pairs - tiedX) * (pairs - tiedY));
    return scale === 0 ? null : (pairs - tiedX - tiedY + tiedBoth - 2 * discordant) / scale;
  }

  /** Pearson's r after the logistic fit, in [−1, 1]; null where there is no fit, or the fitted curve is flat. Equal predictions are one point of the fit. */
  plccFit(weights: Weights): number | null {
    if (!this.#isFinite) return null;
    const { of, values } = this.#groupsX;
    const [drawn, opinion] = [new Float64Array(values.length), new Float64Array(values.length)];
    for (let i = 0; i < weights.length; i += 1) {
      const group = at(of, i);
      drawn[group] = at(drawn, group) + at(weights, i);
      opinion[group] = at(opinion, group) + at(weights, i) * at(this.#y, i);
    }
    for (let g = 0; g < values.length; g += 1) if (at(drawn, g) > 0) opinion[g] = at(opinion, g) / at(drawn, g);
    const fit = fitLogistic(this.#points(drawn, opinion, weights));
    if (fit.kind !== 'fitted') return null;
    const fitted = values.map((value) => logisticCurve(fit.parameters, value));
    return correlation(spread(fitted, this.#groupsX), this.#y, weights);
  }

  /** What was drawn, as the fit takes it. */
  #points(drawn: Float64Array, opinion: Float64Array, weights: Weights) {
    const { of, values } = this.#groupsX;
    let [within, lowest, highest] = [0, Infinity, -Infinity];
    for (let i = 0; i < weights.length; i += 1) {
      if (at(weights, i) === 0) continue;
      const y = at(this.#y, i);
      within += at(weights, i) * (y - at(opinion, at(of, i))) ** 2;
      lowest = Math.min(lowest, y);
      highest = Math.max(highest, y);
    }
    const some = (of_: Float64Array) => of_.filter((_, group) => at(drawn, group) > 0);
    return { x: some(values), y: some(opinion), weights: some(drawn), within, lowest, highest };
  }
}

/** The item at an index that is known to be there. */
function at(values: Float64Array | Uint32Array, index: number): number {
  return values[index] ?? 0;
}

function groupsOf(values: Float64Array): Groups {
  // 0 and −0 are one value.
  const distinct = [...new Set(Array.from(values, (value) => value + 0))].toSorted((a, b) => a - b);
  const group = new Map(distinct.map((value, index) => [value, index]));
  return {
    of: Uint32Array.from(values, (value) => group.get(value + 0) ?? 0),
    values: Float64Array.from(distinct),
  };
}

/** Drawn items of each group. */
function countsOf({ of, values }: Groups, weights: Weights): Float64Array {
  const counts = new Float64Array(values.length);
  for (let i = 0; i < weights.length; i += 1) counts[at(of, i)] = at(counts, at(of, i)) + at(weights, i);
  return counts;
}

/** Ranks from 1 among what was drawn. Equal values share their mean rank. */
function ranksOf(groups: Groups, weights: Weights): Float64Array {
  const ranks = countsOf(groups, weights);
  let before = 0;
  for (let group = 0; group < ranks.length; group += 1) {
    const count = at(ranks, group);
    ranks[group] = before + (count + 1) / 2;
    before += count;
  }
  return spread(ranks, groups);
}

/** The value of each pair's group. A plain loop: `from` with a function takes ten times as long. */
function spread(values: Float64Array, { of }: Groups): Float64Array {
  const all = new Float64Array(of.length);
  for (let i = 0; i < of.length; i += 1) all[i] = at(values, at(of, i));
  return all;
}

function pairsOf(count: number): number {
  return (count * (count - 1)) / 2;
}

function tiedPairs(groups: Groups, weights: Weights): number {
  return countsOf(groups, weights).reduce((sum, count) => sum + pairsOf(count), 0);
}

/** Sum of the first `index` places of a Fenwick tree. */
function sumUpTo(tree: Float64Array, index: number): number {
  let sum = 0;
  for (let i = index; i > 0; i -= i & -i) sum += at(tree, i);
  return sum;
}

function addAt(tree: Float64Array, index: number, value: number): void {
  for (let i = index; i < tree.length; i += i & -i) tree[i] = at(tree, i) + value;
}

function correlation(x: Float64Array, y: Float64Array, weights: Weights): number | null {
  let [count, sumX, sumY] = [0, 0, 0];
  for (let i = 0; i < weights.length; i += 1) {
    const weight = at(weights, i);
    count += weight;
    sumX += weight * at(x, i);
    sumY += weight * at(y, i);
  }
  if (count < 2) return null;
  const [meanX, meanY] = [sumX / count, sumY / count];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < weights.length; i += 1) {
    const weight = at(weights, i);
    const [dx, dy] = [at(x, i) - meanX, at(y, i) - meanY];
    xy += weight * dx * dy;
    xx += weight * dx * dx;
    yy += weight * dy * dy;
  }
  // Rounding leaves a trace of variance in equal numbers. Relative to their size it is nothing.
  const none = (squares: number, level: number) => squares <= 1e-18 * count * Math.max(1, level * level);
  if (none(xx, meanX) || none(yy, meanY)) return null;
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}
