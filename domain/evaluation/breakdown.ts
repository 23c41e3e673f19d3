/**
 * Breakdown: where a critic agrees with people and where not. By dimension, for the overall score and for what the critique itself says of the
 * dimension. By editing method. Within a source: does it order edits of one picture as people do? Pure.
 *
 * Each part is resampled by itself, in the same way as the whole (`resamplingOf`), with fewer resamples: there are many parts.
 */
import { type Dimension, dimensionNames, type Ratings } from '../critique/ratings.ts';
import { drawsOf, type Estimate, type Measured, resamplingOf, type TestPair, toEstimate } from './resampling.ts';
import { ScoredPairs, type Weights } from './scored-pairs.ts';

export const partMetricNames = ['main_score', 'srcc', 'plcc_fit', 'mean_absolute_error', 'bias'] as const;
export type PartMetric = (typeof partMetricNames)[number];

/** A part of the test split. */
export interface Part {
  /** Rows that have what it takes: n_total. */
  rows: number;
  /** Rows where the critic gave what is measured: n_valid. */
  valid: number;
  /** `mean_absolute_error` and `bias` (critic − people) are in score points. Null if too few rows are valid; `refused` says so. */
  metrics: Record<PartMetric, Estimate> | null;
  refused?: string;
}

/** How often the critic orders two edits of one source as people do. Two edits of equal opinion are not counted; equal scores count one half. */
export interface WithinSource {
  sources: number;
  pairs: number;
  /** In [0, 1]; 0.5 is chance. */
  agreement: Estimate;
}

export interface Breakdown {
  resamples: number;
  dimensions: Partial<Record<Dimension, { overall: Part; stated: Part }>>;
  /** By the name of the method, most rows first. */
  methods: Record<string, Part>;
  within_source: WithinSource | null;
}

/** One row of the test split with a critic's greedy answer. */
export interface BreakdownRow extends TestPair {
  method: string;
  /** People's opinions of the dimensions, where the dataset has them. */
  labels: Ratings;
  /** The overall score; null if the answer cannot be read. */
  score: number | null;
  /** What the critique says of the dimensions. */
  ratings: Ratings;
}

const resamples = 200;
/** Fewer valid rows than this, or a smaller share of the rows, say nothing. */
const fewestValid = 10;
const fewestValidShare = 0.5;
/** A dataset names its methods: more than this many are one part, `(others)`. */
const mostMethods = 50;

/** Yields the name of what comes next. */
export function* breakDown(rows: readonly BreakdownRow[], seed: number): Generator<string, Breakdown> {
  const found: Breakdown = { resamples, dimensions: {}, methods: {}, within_source: null };
  for (const name of dimensionNames) {
    const labelled = rows.filter((row) => row.labels[name] !== undefined);
    if (labelled.length === 0) continue;
    yield name;
    found.dimensions[name] = {
      overall: partOf(
        labelled,
        ({ score }) => score,
        ({ labels }) => labels[name],
        seed,
      ),
      stated: partOf(
        labelled,
        ({ ratings }) => ratings[name] ?? null,
        ({ labels }) => labels[name],
        seed,
      ),
    };
  }
  for (const [method, those] of byMethod(rows)) {
    yield `method ${method}`;
    found.methods[method] = partOf(
      those,
      ({ score }) => score,
      ({ mos }) => mos,
      seed,
    );
  }
  yield 'within sources';
  found.within_source = withinSource(rows, seed);
  return found;
}

function byMethod(rows: readonly BreakdownRow[]): [string, BreakdownRow[]][] {
  const groups = [...Map.groupBy(rows, ({ method }) => method)].toSorted(
    ([a, left], [b, right]) => right.length - left.length || (a < b ? -1 : 1),
  );
  if (groups.length <= mostMethods) return groups;
  const others = groups.slice(mostMethods - 1).flatMap(([, those]) => those);
  return [...groups.slice(0, mostMethods - 1), ['(others)', others]];
}

function partOf(
  rows: readonly BreakdownRow[],
  given: (row: BreakdownRow) => number | null,
  wanted: (row: BreakdownRow) => number | undefined,
  seed: number,
): Part {
  const valid = rows.filter((row) => given(row) !== null);
  const counts = { rows: rows.length, valid: valid.length };
  if (valid.length < fewestValid || valid.length < rows.length * fewestValidShare) {
    const refused = `${valid.length} of ${rows.length} rows are valid, expected at least ${fewestValid} and ${fewestValidShare * 100} %`;
    return { ...counts, metrics: null, refused };
  }
  const predicted = valid.map((row) => given(row) ?? Number.NaN);
  const people = valid.map((row) => wanted(row) ?? Number.NaN);
  const pairs = new ScoredPairs(predicted, people);
  const errors = predicted.map((value, index) => value - (people[index] ?? Number.NaN));
  const draws = drawsOf(valid, resamplingOf(valid, seed, resamples));
  const measured = (statistic: (weights: Weights) => number | null): Measured => ({
    value: statistic(pairs.ones()),
    values: draws.map(statistic),
  });
  const [srcc, fit] = [measured((w) => pairs.spearman(w)), measured((w) => pairs.plccFit(w))];
  const main: Measured = {
    value: half(srcc.value, fit.value),
    values: srcc.values.map((one, i) => half(one, fit.values[i] ?? null)),
  };
  return {
    ...counts,
    metrics: {
      main_score: toEstimate(main),
      srcc: toEstimate(srcc),
      plcc_fit: toEstimate(fit),
      mean_absolute_error: toEstimate(measured((w) => weightedMean(errors, w, Math.abs))),
      bias: toEstimate(measured((w) => weightedMean(errors, w, (one) => one))),
    },
  };
}

function half(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : (a + b) / 2;
}

function weightedMean(values: readonly number[], weights: Weights, of: (value: number) => number): number | null {
  let [sum, count] = [0, 0];
  for (let i = 0; i < weights.length; i += 1) {
    sum += (weights[i] ?? 0) * of(values[i] ?? 0);
    count += weights[i] ?? 0;
  }
  return count === 0 ? null : sum / count;
}

/** Each source weighs as many as its pairs of edits. Sources are resampled, however few: their pairs are not independent. */
function withinSource(rows: readonly BreakdownRow[], seed: number): WithinSource | null {
  const sources = [...Map.groupBy(rows, ({ source }) => source)].flatMap(([source, those]) => {
    const agreed = orderings(those);
    return agreed.length === 0
      ? []
      : [{ id: source, source, mos: 0, sum: agreed.reduce((sum, one) => sum + one, 0), count: agreed.length }];
  });
  const pairs = sources.reduce((sum, { count }) => sum + count, 0);
  if (pairs < fewestValid) return null;
  const share = (weights: Weights) => {
    let [sum, count] = [0, 0];
    for (const [index, one] of sources.entries()) {
      sum += (weights[index] ?? 0) * one.sum;
      count += (weights[index] ?? 0) * one.count;
    }
    return count === 0 ? null : sum / count;
  };
  const draws = drawsOf(sources, { unit: 'pair', units: sources.length, resamples, seed });
  const value = share(new Float64Array(sources.length).fill(1));
  return { sources: sources.length, pairs, agreement: toEstimate({ value, values: draws.map(share) }) };
}

/** For each two edits of one source of which people think differently: 1 if the critic orders them so, 0 if not, ½ for equal scores. */
function orderings(rows: readonly BreakdownRow[]): number[] {
  const found: number[] = [];
  for (const [index, a] of rows.entries()) {
    for (const b of rows.slice(index + 1)) {
      if (a.mos === b.mos || a.score === null || b.score === null) continue;
      found.push(a.score === b.score ? 0.5 : Number(a.score > b.score === a.mos > b.mos));
    }
  }
  return found;
}
