/**
 * bench/coverage: how often a 95 % interval holds the truth. Test sets are drawn again and again, a critic of known quality answers them, and each
 * interval is made by the evaluation's own code: of MainScore and SRCC, and of the paired difference of two critics.
 *
 *   npm run bench:coverage -- [--sets 500] [--pairs 300] [--sources 75]
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { difference } from '../../domain/evaluation/comparison.ts';
import { measure, type MeasuredMetrics } from '../../domain/evaluation/evaluation.ts';
import { drawsOf, resamplingOf, toEstimate } from '../../domain/evaluation/resampling.ts';
import type { Interval } from '../../domain/evaluation/metrics.ts';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import { answers, drawCases, trueAgreement } from '../critics.ts';

const { values } = parseArgs({
  options: {
    sets: { type: 'string', default: '500' },
    pairs: { type: 'string', default: '300' },
    sources: { type: 'string', default: '75' },
  },
});
const whole = (text: string) => z.coerce.number().int().min(1).parse(text);
const [sets, pairs, sources] = [whole(values.sets), whole(values.pairs), whole(values.sources)];
const blurs = { better: 0.5, worse: 0.7 };

const random = seededRandom(20261128);
const truth = { better: trueAgreement(blurs.better, random), worse: trueAgreement(blurs.worse, random) };
const names = ['main_score', 'srcc', 'krcc', 'rmse'] as const;
const expected = {
  main_score: truth.better.mainScore ?? 0,
  srcc: truth.better.srcc ?? 0,
  krcc: truth.better.krcc ?? 0,
  rmse: truth.better.rmse ?? 0,
};
const held = { main_score: 0, srcc: 0, krcc: 0, rmse: 0, difference: 0 };
for (let set = 0; set < sets; set += 1) {
  const cases = drawCases(pairs, sources, random);
  const [better, worse] = [answers(cases, blurs.better, random), answers(cases, blurs.worse, random)];
  const draws = drawsOf(better, resamplingOf(better, set));
  const ours = all(measure(better, draws));
  for (const name of names) {
    const one = ours[name];
    if (one !== undefined && holds(toEstimate(one).interval, expected[name])) held[name] += 1;
  }
  const theirs = all(measure(worse, draws)).main_score;
  if (ours.main_score === undefined || theirs === undefined) throw new Error('MainScore is always measured');
  const gap = (truth.better.mainScore ?? 0) - (truth.worse.mainScore ?? 0);
  if (holds(difference(ours.main_score, theirs).difference, gap)) held.difference += 1;
}
console.log(
  `${sets} test sets of ${pairs} pairs of ${sources} sources; nominal 95 %, ± ${(196 * Math.sqrt((0.05 * 0.95) / sets)).toFixed(1)} by chance`,
);
for (const [name, count] of Object.entries(held))
  console.log(`${name.padEnd(10)} ${((100 * count) / sets).toFixed(1)} %`);

function all(steps: Generator<string, MeasuredMetrics>): MeasuredMetrics {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function holds(interval: Interval, value: number): boolean {
  return interval !== null && interval[0] <= value && value <= interval[1];
}
