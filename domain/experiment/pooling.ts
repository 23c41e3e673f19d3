/**
 * Pooling: one number with a 95 % interval from the same measurement under several seeds. Pure.
 *
 * Two things vary: which pictures the test split has (told by resamples of it) and what another seed would have trained (told by the spread over
 * seeds). With one seed only the first is known, and the interval tells only that.
 */
import { type Estimate, type Measured, toEstimate } from '../evaluation/resampling.ts';

/** An estimate over seeds. */
export interface Pooled extends Estimate {
  /** Of each seed, in their order; null where it is undefined. */
  perSeed: (number | null)[];
}

/** Resamples in which a value may be undefined, as in `toEstimate`. */
const mostUndefined = 0.05;

/**
 * The mean over seeds. All were measured with the same resamples of `units` sources (or pairs). With one seed: the percentile interval of its resamples. With
 * more: the variance of the mean over resamples plus that over seeds, and Student's t with the degrees of freedom of Welch and Satterthwaite. Undefined if it is
 * undefined for any seed.
 */
export function pool(seeds: readonly Measured[], units: number): Pooled {
  const perSeed = seeds.map(({ value }) => value);
  const [only] = seeds;
  if (only !== undefined && seeds.length === 1) return { ...toEstimate(only), perSeed };
  const known = perSeed.filter((value) => value !== null);
  if (known.length === 0 || known.length < seeds.length) return { value: null, interval: null, perSeed };
  const value = meanOf(known);
  const means = resampledMeans(seeds);
  if (means.length < (1 - mostUndefined) * (only?.values.length ?? 0) || means.length < 2 || units < 2)
    return { value, interval: null, perSeed };
  const ofPictures = varianceOf(means);
  const ofSeeds = varianceOf(known) / known.length;
  const both = ofPictures + ofSeeds;
  if (both === 0) return { value, interval: [value, value], perSeed };
  const degrees = both ** 2 / (ofPictures ** 2 / (units - 1) + ofSeeds ** 2 / (known.length - 1));
  const reach = tQuantile(degrees) * Math.sqrt(both);
  return { value, interval: [value - reach, value + reach], perSeed };
}

/** Of each resample the mean over seeds, where it is defined for all. */
function resampledMeans(seeds: readonly Measured[]): number[] {
  return (seeds[0]?.values ?? []).flatMap((_, index) => {
    const values = seeds.map(({ values: all }) => all[index] ?? null).filter((one) => one !== null);
    return values.length < seeds.length ? [] : [meanOf(values)];
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** With n − 1. */
function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

/** t of 0.975 for 1 to 30 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2), then for some more. */
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const further: readonly [degrees: number, quantile: number][] = [
  [1000, 1.962],
  [100, 1.984],
  [60, 2],
  [40, 2.021],
];

/** The 97.5 % quantile of Student's t. Degrees of freedom, at least 1, are rounded down to the table's, so it is never too small. */
export function tQuantile(degrees: number): number {
  const row = further.find(([least]) => degrees >= least);
  return row?.[1] ?? quantiles[Math.min(quantiles.length, Math.max(1, Math.floor(degrees))) - 1] ?? 12.706;
}
