/** How the numbers of an experiment are said, on its page and in its table. Pure. */
import { signed } from '../critique/claims.ts';
import { type ComparedMetric, metricWords, type QuantityOf } from './experiment.ts';
import type { DirectionVerdict, JudgedDirection } from './measuring.ts';
import type { Pooled } from './pooling.ts';

const ofWords: Readonly<Record<QuantityOf, string>> = {
  grpo: 'after GRPO',
  sft: 'after SFT',
  gain: 'GRPO − its start',
};

export const verdictWords: Readonly<Record<DirectionVerdict, string>> = {
  shown: 'shown',
  opposite: 'the opposite is shown',
  open: 'cannot tell',
  missing: 'not measured',
};

/** Decimal places: tokens have one, all others three. */
export function placesOf(metric: ComparedMetric): number {
  return metric.startsWith('tokens') ? 1 : 3;
}

/** `+0.012 (−0.010 to +0.034)`; a dash where it is undefined. */
export function signedInterval(one: Pooled | null | undefined, places: number): string {
  const value = one?.value ?? null;
  if (value === null) return '–';
  const bounds = one?.interval ?? null;
  const range = bounds === null ? '' : ` (${signed(bounds[0], places)} to ${signed(bounds[1], places)})`;
  return `${signed(value, places)}${range}`;
}

/** `0.664 [0.590, 0.722]`; a dash where it is undefined. */
export function plainInterval(one: Pooled | null | undefined, places: number): string {
  const value = one?.value ?? null;
  if (value === null) return '–';
  const bounds = one?.interval ?? null;
  return bounds === null
    ? value.toFixed(places)
    : `${value.toFixed(places)} [${bounds[0].toFixed(places)}, ${bounds[1].toFixed(places)}]`;
}

/** The number that decides of a sentence, and what it is of. */
export function measuredWords(one: JudgedDirection): string {
  return `${measuredWhat(one)}: ${signedInterval(one.measured, placesOf(one.metric))}`;
}

/** What the number that decides of a sentence is of. */
export function measuredWhat({ metric, of, arm, than }: JudgedDirection): string {
  return `${metricWords[metric]} ${ofWords[of]}, ${arm}${than === undefined ? '' : ` − ${than}`}`;
}
