/**
 * Claims: what may be said of a difference between two critics. A gain is claimed only if its whole 95 % interval is above
 * zero. Pure.
 */
import { type Evaluation, type MetricName, type Metrics, whyNoMainScore } from '../evaluation/evaluation.ts';
import type { Estimate } from '../evaluation/resampling.ts';

export type Direction = 'better' | 'worse' | 'unclear' | 'unknown';

export interface Claim {
  metric: MetricName;
  direction: Direction;
  sentence: string;
}

/** Names as a sentence has them. */
const spoken: Partial<Record<MetricName, string>> = {
  main_score: 'MainScore',
  srcc: 'SRCC',
  reward_sampled: 'the reward at temperature 1',
  accuracy_sampled: 'the accuracy reward at temperature 1',
};

/** GRPO against SFT. The reward comes first: GRPO is trained on it. Empty if one of the two was not predicted. */
export function grpoClaims(evaluation: Evaluation): Claim[] {
  const gain = evaluation.differences.grpo_minus_sft;
  if (gain === undefined) return [];
  const why = (['sft', 'grpo'] as const).flatMap((model) => {
    const told = whyNoMainScore(evaluation, model);
    return told === undefined ? [] : [`after ${model.toUpperCase()}, ${told}`];
  });
  return claims(gain, ['reward_sampled', 'main_score', 'srcc'], why.join('; '));
}

/** One headline: is GRPO's gain over SFT shown on the held-out pairs? */
export function grpoHeadline(evaluation: Evaluation): string {
  const found = grpoClaims(evaluation);
  if (found.length === 0) return 'GRPO and SFT were not both predicted: nothing can be said of what GRPO adds.';
  const named = (direction: Direction) =>
    found.filter((one) => one.direction === direction).map((one) => spoken[one.metric] ?? one.metric);
  const [better, worse] = [named('better'), named('worse')];
  const lost = worse.length === 0 ? '' : ` It lowered ${list(worse)}.`;
  if (better.length > 0) return `GRPO improved on SFT in ${list(better)}.${lost}`;
  return `No gain of GRPO over SFT is shown.${lost}`;
}

function claims(differences: Metrics, metrics: readonly MetricName[], why: string): Claim[] {
  return metrics.flatMap((metric) => {
    const estimate = differences[metric];
    return estimate === undefined ? [] : [claim(metric, estimate, why)];
  });
}

/** `why`: what keeps agreement from being measured, if anything does. */
function claim(metric: MetricName, estimate: Estimate, why: string): Claim {
  const direction = directionOf(estimate);
  const name = spoken[metric] ?? metric;
  const { value, interval } = estimate;
  if (value === null || interval === null) {
    const cause = why === '' ? '' : `: ${why}`;
    return { metric, direction, sentence: `${capital(name)}: the difference cannot be measured${cause}.` };
  }
  const numbers = `${signed(value)} (${signed(interval[0])} to ${signed(interval[1])})`;
  const said = { better: 'higher', worse: 'lower', unclear: 'no difference shown', unknown: '' }[direction];
  return { metric, direction, sentence: `${capital(name)}: ${said}, ${numbers}.` };
}

/** For metrics where more is better. */
function directionOf({ value, interval }: Estimate): Direction {
  if (value === null || interval === null) return 'unknown';
  if (interval[0] > 0) return 'better';
  return interval[1] < 0 ? 'worse' : 'unclear';
}

/** `+0.012`, `−0.300`, with a real minus sign. */
export function signed(value: number, digits = 3): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? '−' : '+'}${text}`;
}

function list(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
