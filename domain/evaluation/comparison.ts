/**
 * Comparison: how much better one critic agrees with people than another, in MainScore, with a 95 % bootstrap interval.
 * Pure, and slow: it takes a thousand curve fits for each critic.
 */
import { type JudgedItem, measureMainScore } from './evaluation.ts';
import { drawsOf, type Measured, resamplingOf, subtract, toEstimate } from './resampling.ts';
import { type Interval, mean } from './metrics.ts';

/** Ours − theirs, in MainScore. */
export interface Difference {
  /** Of all pairs; null if one side is undefined. */
  estimate: number | null;
  /** Standard deviation over resamples; null if the interval is. */
  standardError: number | null;
  /** 95 % interval; null if it is undefined. */
  difference: Interval;
}

export interface Comparison extends Difference {
  /** Both were measured on the same pairs with the same MOS, so their resamples are the same. */
  paired: boolean;
  /** Pairs that both have, with the same MOS. */
  common: number;
  /** Pairs that theirs has. */
  theirs: number;
}

/**
 * `ours` against each of `rivals`, in their order. Sources are resampled if there are enough of them (see `resamplingOf`). The
 * comparison is paired if both hold the same pairs, in any order. Otherwise each side is resampled by itself, and the interval
 * is wider.
 */
export function* compare(
  ours: readonly JudgedItem[],
  rivals: readonly (readonly JudgedItem[])[],
  seed: number,
): Generator<string, Comparison[]> {
  if (rivals.length === 0) return [];
  yield 'candidate';
  const draws = drawsOf(ours, resamplingOf(ours, seed));
  const measured = measureMainScore(ours, draws);
  const found: Comparison[] = [];
  for (const theirs of rivals) {
    yield `rival ${found.length + 1}`;
    const aligned = align(ours, theirs);
    const paired = aligned.length === ours.length && ours.length === theirs.length;
    const other: Measured = paired
      ? measureMainScore(aligned, draws)
      : measureMainScore(theirs, drawsOf(theirs, resamplingOf(theirs, seed + 1)));
    found.push({ ...difference(measured, other), paired, common: aligned.length, theirs: theirs.length });
  }
  return found;
}

/** How much higher `ours` is than `theirs`. Both were resampled alike, or each by itself. */
export function difference(ours: Measured, theirs: Measured): Difference {
  const differences = subtract(ours, theirs);
  const { value, interval } = toEstimate(differences);
  const known = differences.values.filter((one) => one !== null);
  const centre = mean(known);
  const variance = mean(known.map((one) => (one - centre) ** 2));
  return { estimate: value, standardError: interval === null ? null : Math.sqrt(variance), difference: interval };
}

/** Their items of our pairs, in our order. A pair with another MOS is another pair. */
function align(ours: readonly JudgedItem[], theirs: readonly JudgedItem[]): JudgedItem[] {
  const byId = new Map(theirs.map((item) => [item.id, item]));
  return ours.flatMap((item) => {
    const other = byId.get(item.id);
    return other?.mos === item.mos ? [other] : [];
  });
}
