/**
 * bench/gate: years of nights before the gate, simulated. Each night a critic is drawn, measured on one test set, and judged by the gate's own code
 * against champion and reference. Its true quality is known.
 *
 *   npm run bench:gate -- [--years 5] [--nights 365] [--pairs 300] [--sources 75] [--margin 0.03]
 *
 * Three worlds: nothing changes · quality falls a little each night · one day it rises. Printed for each, in means over years: promotions, how often the
 * reference moved, false promotions (a critic truly worse than the first champion by more than the margin), and the champion's true quality at the end.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { difference } from '../../domain/evaluation/comparison.ts';
import { measureMainScore } from '../../domain/evaluation/evaluation.ts';
import { drawsOf, type Measured, resamplingOf } from '../../domain/evaluation/resampling.ts';
import { judge, type Rival } from '../../domain/evaluation/gate.ts';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import { answers, drawCases, trueAgreement } from '../critics.ts';

const { values } = parseArgs({
  options: {
    years: { type: 'string', default: '5' },
    nights: { type: 'string', default: '365' },
    pairs: { type: 'string', default: '300' },
    sources: { type: 'string', default: '75' },
    margin: { type: 'string', default: '0.03' },
    resamples: { type: 'string', default: '1000' },
  },
});
const whole = (text: string) => z.coerce.number().int().min(1).parse(text);
const [years, nights, resamples] = [whole(values.years), whole(values.nights), whole(values.resamples)];
const [pairs, sources] = [whole(values.pairs), whole(values.sources)];
const margin = z.coerce.number().min(0).max(2).parse(values.margin);

/** Own error of a critic, in score points, by night. True MainScore is near 0.78 at 0.6, and falls by some 0.04 a tenth. */
const worlds: Record<string, (night: number) => number> = {
  'nothing changes': () => 0.6,
  'quality falls each night': (night) => 0.6 + 0.0012 * night,
  'one gain, at half time': (night) => (night < nights / 2 ? 0.6 : 0.45),
};

interface Critic {
  night: number;
  measured: Measured;
}
interface Year {
  promoted: number;
  raised: number;
  falsely: number;
  /** True quality of the last champion − that of the first. */
  drift: number;
  /** Nights on which a critic truly as good as the first champion was refused, and on which a person was asked. */
  refused: number;
  asked: number;
}

const truths = new Map<number, number>();
function truth(blur: number): number {
  const rounded = Math.round(blur * 100) / 100;
  const known = truths.get(rounded) ?? trueAgreement(rounded, seededRandom(7)).mainScore ?? 0;
  truths.set(rounded, known);
  return known;
}

function liveThrough(blurAt: (night: number) => number, year: number): Year {
  const random = seededRandom(1000 * year + 17);
  const cases = drawCases(pairs, sources, random);
  const measure = (night: number): Critic => {
    const items = answers(cases, blurAt(night), random);
    return { night, measured: measureMainScore(items, drawsOf(items, resamplingOf(items, year, resamples))) };
  };
  let champion = measure(0);
  let reference = champion;
  const first = truth(blurAt(0));
  const found: Year = { promoted: 0, raised: 0, falsely: 0, drift: 0, refused: 0, asked: 0 };
  const against = (candidate: Critic, rival: Critic): Rival => ({
    run: `night-${rival.night}`,
    ...difference(candidate.measured, rival.measured),
    paired: true,
    sameArtifact: false,
  });
  for (let night = 1; night < nights; night += 1) {
    const candidate = measure(night);
    const quality = truth(blurAt(night));
    const verdict = judge({
      mainScore: candidate.measured.value,
      readableShare: 1,
      minMainScore: -1,
      minReadable: 0,
      margin,
      champion: against(candidate, champion),
      reference: reference === champion ? undefined : against(candidate, reference),
    });
    if (verdict.passed) {
      found.promoted += 1;
      if (quality < first - margin) found.falsely += 1;
      if (verdict.raisesReference) {
        found.raised += 1;
        reference = candidate;
      }
      champion = candidate;
    } else if (verdict.outcome === 'needs-person') found.asked += 1;
    else if (quality >= first - 0.003) found.refused += 1;
  }
  found.drift = truth(blurAt(champion.night)) - first;
  return found;
}

for (const [world, blurAt] of Object.entries(worlds)) {
  const lived = Array.from({ length: years }, (_, year) => liveThrough(blurAt, year));
  const mean = (pick: (year: Year) => number) => lived.reduce((sum, one) => sum + pick(one), 0) / years;
  console.log(
    `${world}: true MainScore ${truth(blurAt(0)).toFixed(3)} → ${truth(blurAt(nights - 1)).toFixed(3)}; a year of ${nights} nights has ${mean((one) => one.promoted).toFixed(1)} promotions, ` +
      `${mean((one) => one.falsely).toFixed(1)} false, the reference moved ${mean((one) => one.raised).toFixed(1)} times, ${mean((one) => one.refused).toFixed(1)} as good were refused, a person was asked ${mean((one) => one.asked).toFixed(1)} times; ` +
      `the last champion is ${mean((one) => one.drift).toFixed(3)} from the first`,
  );
}
