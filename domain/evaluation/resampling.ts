/**
 * Resampling: which pairs are drawn how often, and what a metric's values over all resamples say: an estimate with its interval. Edits of one
 * source image are not independent observations, so whole sources are drawn (a cluster bootstrap), unless there are too few of them. Pure.
 */
import { bootstrap, type Interval } from './metrics.ts';
import type { Weights } from './scored-pairs.ts';
import { seededRandom } from './seeded-random.ts';

/** What measuring needs of one pair of the test split. */
export interface TestPair {
  id: string;
  /** Source image: the unit of resampling. */
  source: string;
  mos: number;
}

/** null where undefined: a constant predictor has no correlation. The interval has 95 %. */
export interface Estimate {
  value: number | null;
  interval: Interval;
}

/** How intervals were made. `units` is the number of sources or pairs that were drawn from. */
export interface Resampling {
  unit: 'source' | 'pair';
  units: number;
  resamples: number;
  seed: number;
}

/** Fewer sources than this make a cluster bootstrap's intervals too short: pairs are drawn instead, and it is said. */
const fewestSources = 10;

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

/** Two measured values as one, resample by resample. */
export function combine(a: Measured, b: Measured, how: (a: number, b: number) => number): Measured {
  const both = (x: number | null, y: number | null | undefined) =>
    x === null || y === null || y === undefined ? null : how(x, y);
  return { value: both(a.value, b.value), values: a.values.map((value, index) => both(value, b.values[index])) };
}
