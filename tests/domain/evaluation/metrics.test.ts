/** Metrics against scipy (tests/golden/make_metrics.py wrote the numbers), and what has no number. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { agreement, bootstrap, mean, type Scored } from '../../../domain/evaluation/metrics.ts';
import { ScoredPairs } from '../../../domain/evaluation/scored-pairs.ts';
import { fitLogistic } from '../../../domain/evaluation/logistic-fit.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

const numbers = z.array(z.number());
const goldenSchema = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      predicted: numbers,
      mos: numbers,
      expected: z.object({
        plcc: z.number(),
        srcc: z.number(),
        krcc: z.number(),
        rmse: z.number(),
        plcc_fit: z.number(),
        main_score: z.number(),
        fit_sse: z.number(),
      }),
    }),
  ),
});
const goldenFile = new URL('../../golden/metrics.json', import.meta.url);
const { cases } = goldenSchema.parse(JSON.parse(readFileSync(goldenFile, 'utf8')));

function scored(predicted: readonly number[], mos: readonly number[]): Scored[] {
  return predicted.map((value, i) => ({ predicted: value, mos: mos[i] ?? Number.NaN }));
}

/** The fit with each opinion as a point of its own. */
function fitOf(x: readonly number[], y: readonly number[]) {
  return fitLogistic({
    x: Float64Array.from(x),
    y: Float64Array.from(y),
    weights: new Float64Array(x.length).fill(1),
    within: 0,
    lowest: Math.min(...y),
    highest: Math.max(...y),
  });
}

describe('agreement is what scipy says', () => {
  it.each(cases)('$name', ({ predicted, mos, expected }) => {
    const found = agreement(scored(predicted, mos));
    expect(found.n).toBe(predicted.length);
    expect(found.plcc).toBeCloseTo(expected.plcc, 12);
    expect(found.srcc).toBeCloseTo(expected.srcc, 12);
    expect(found.krcc).toBeCloseTo(expected.krcc, 12);
    expect(found.rmse).toBeCloseTo(expected.rmse, 12);
    // Where the optimum is a valley without end, both stop somewhere on its floor.
    expect(found.plccFit).toBeCloseTo(expected.plcc_fit, 4);
    expect(found.mainScore).toBeCloseTo(expected.main_score, 4);
  });

  it.each(cases)('the fit of "$name" is no worse than scipy’s', ({ predicted, mos, expected }) => {
    const fit = fitOf(predicted, mos);
    if (fit.kind !== 'fitted') throw new Error(fit.reason);
    expect(fit.squares).toBeLessThan(expected.fit_sse * 1.001 + 1e-8);
    expect(fit.iterations).toBeLessThanOrEqual(300);
  });
});

describe('what has no number is null', () => {
  const rising = [1, 2, 3, 4, 5, 4.5];
  const rows: [string, Scored[], Partial<ReturnType<typeof agreement>>][] = [
    [
      'no readable answer',
      [],
      { n: 0, plcc: null, plccFit: null, srcc: null, krcc: null, rmse: null, mainScore: null },
    ],
    [
      'one pair has an error and no correlation',
      scored([2], [4]),
      { n: 1, plcc: null, srcc: null, krcc: null, rmse: 2 },
    ],
    [
      'a constant predictor correlates with nothing, yet errs measurably',
      scored([3, 3, 3, 3, 3, 3], [2, 2, 2, 4, 4, 4]),
      { plcc: null, plccFit: null, srcc: null, krcc: null, rmse: 1, mainScore: null },
    ],
    [
      'a constant of many digits is constant too, though sums of it round',
      scored(Array<number>(6).fill(3.3333333333333335), rising),
      { plcc: null, plccFit: null, srcc: null, krcc: null },
    ],
    [
      'constant opinions',
      scored(rising, [3, 3, 3, 3, 3, 3]),
      { plcc: null, plccFit: null, srcc: null, mainScore: null },
    ],
    [
      'four pairs are too few for four parameters',
      scored([1, 2, 3, 4], [1, 2, 3, 5]),
      { plccFit: null, mainScore: null },
    ],
  ];
  it.each(rows)('%s', (_name, items, expected) => {
    expect(agreement(items)).toMatchObject(expected);
  });

  it('NaN and infinity never come out as a number', () => {
    const nothing = { plcc: null, plccFit: null, srcc: null, krcc: null, rmse: null, mainScore: null };
    for (const wrong of [Number.NaN, Infinity, -Infinity]) {
      expect(agreement(scored([1, wrong, 3, 4, 5, 2], [1, 2, 3, 4, 5, 5]))).toMatchObject(nothing);
      expect(agreement(scored([1, 2, 3, 4, 5, 2], [1, 2, 3, 4, wrong, 5]))).toMatchObject(nothing);
    }
  });

  it('lists of unequal length are a bug', () => {
    expect(() => new ScoredPairs([1, 2], [1])).toThrow('2 predictions of 1 opinions');
  });

  it('a correlation never leaves [-1, 1] by rounding', () => {
    const x = Array.from({ length: 997 }, (_, i) => 1 + (i * 7919) / 1e6);
    expect(agreement(scored(x, x)).plcc).toBeLessThanOrEqual(1);
    expect(agreement(scored(x, x.toReversed())).plcc).toBeGreaterThanOrEqual(-1);
  });
});

describe('a resample by weights', () => {
  const random = seededRandom(1979);
  /** A value of so many levels: many ties, few, none. */
  const value = (levels: number) => 1 + (4 * Math.floor(random() * levels)) / levels;

  it('is what its pairs written out are, whatever was drawn: ties, nothing, one pair, one value', () => {
    for (let round = 0; round < 400; round += 1) {
      const n = Math.floor(random() * 40);
      const levels = [2, 5, 50, 1e9][round % 4] ?? 2;
      const x = Array.from({ length: n }, () => value(levels));
      const y = x.map((one) => (random() < 0.5 ? one : value(levels)));
      const weights = Float64Array.from(x, () => Math.floor(random() * 4) * (random() < 0.7 ? 1 : 0));
      const drawn = [...weights.keys()].flatMap((i) => Array.from({ length: weights[i] ?? 0 }, () => i));
      const written = agreement(
        scored(
          drawn.map((i) => x[i] ?? 0),
          drawn.map((i) => y[i] ?? 0),
        ),
      );
      const pairs = new ScoredPairs(x, y);
      /** 0 if both are undefined, infinite if one is. */
      const gap = (found: number | null, expected: number | null) =>
        found === null || expected === null ? (found === expected ? 0 : Infinity) : Math.abs(found - expected);
      expect(gap(pairs.pearson(weights), written.plcc)).toBeLessThan(1e-10);
      expect(gap(pairs.spearman(weights), written.srcc)).toBeLessThan(1e-10);
      expect(pairs.kendall(weights)).toBe(written.krcc);
      expect(gap(pairs.rmse(weights), written.rmse)).toBeLessThan(1e-10);
      expect(gap(pairs.plccFit(weights), written.plccFit)).toBeLessThan(1e-4);
    }
  });

  it('shares ranks among equals as they were drawn', () => {
    // 2 is drawn twice, so the ranks of 1, 2, 2, 3 are 1, 2.5, 2.5, 4.
    const pairs = new ScoredPairs([1, 2, 3], [1, 2.5, 4]);
    expect(pairs.spearman(Float64Array.from([1, 2, 1]))).toBeCloseTo(1, 12);
    expect(new ScoredPairs([1, 2, 3], [4, 2.5, 1]).spearman(Float64Array.from([1, 2, 1]))).toBeCloseTo(-1, 12);
  });

  it('counts a tie on one side as neither right nor wrong', () => {
    expect(agreement(scored([1, 1, 2], [1, 2, 3])).krcc).toBeCloseTo(2 / Math.sqrt(2 * 3), 12);
  });
});

describe('Kendall in n log n', () => {
  const kendall = (x: readonly number[], y: readonly number[]) => agreement(scored(x, y)).krcc;

  /** By its definition: every pair looked at. */
  function byPairs(x: readonly number[], y: readonly number[]): number | null {
    let [balance, tiedX, tiedY, pairs] = [0, 0, 0, 0];
    for (const [i, a] of x.entries()) {
      for (let j = i + 1; j < x.length; j += 1) {
        const dx = Math.sign(a - (x[j] ?? 0));
        const dy = Math.sign((y[i] ?? 0) - (y[j] ?? 0));
        balance += dx * dy;
        tiedX += dx === 0 ? 1 : 0;
        tiedY += dy === 0 ? 1 : 0;
        pairs += 1;
      }
    }
    const scale = Math.sqrt((pairs - tiedX) * (pairs - tiedY));
    return scale === 0 ? null : balance / scale;
  }

  it('is to the last bit what looking at every pair gives, with many ties, few and none', () => {
    const random = seededRandom(1966);
    for (let round = 0; round < 400; round += 1) {
      const n = Math.floor(random() * 60);
      const levels = [2, 5, 40, 1e9][round % 4] ?? 2;
      const value = () => Math.floor(random() * levels) / 8 - 1;
      const x = Array.from({ length: n }, value);
      const y = x.map((one) => (random() < 0.3 ? one : value()));
      expect(kendall(x, y)).toBe(byPairs(x, y));
      expect(kendall(x, x.toReversed())).toBe(byPairs(x, x.toReversed()));
    }
  });

  it('takes 0 and −0 for equal', () => {
    expect(kendall([0, -0, 1, 2], [1, 2, 3, -0])).toBe(byPairs([0, 0, 1, 2], [1, 2, 3, 0]));
  });

  it('ranks a hundred thousand items, five billion pairs, within the test', () => {
    const x = Array.from({ length: 100_000 }, (_, i) => i);
    const [rising, falling] = [new ScoredPairs(x, x), new ScoredPairs(x, x.toReversed())];
    expect(rising.kendall(rising.ones())).toBe(1);
    expect(falling.kendall(falling.ones())).toBe(-1);
  });
});

describe('bootstrap', () => {
  const items = scored(cases[0]?.predicted ?? [], cases[0]?.mos ?? []);

  const srcc = (sample: Scored[]) => agreement(sample).srcc;

  it('the same seed gives the same interval', () => {
    const interval = () => bootstrap(items, srcc, seededRandom(7), 200);
    expect(interval()).toEqual(interval());
  });

  it('the interval holds the estimate and is narrower with more pairs', () => {
    const values = Array.from({ length: 400 }, (_, i) => (i * 37) % 100);
    const width = (count: number) => {
      const [low, high] = bootstrap(values.slice(0, count), mean, seededRandom(1)) ?? [0, 0];
      expect(low).toBeLessThan(mean(values.slice(0, count)));
      expect(high).toBeGreaterThan(mean(values.slice(0, count)));
      return high - low;
    };
    expect(width(400)).toBeLessThan(width(40));
  });

  it('the interval of a mean is about ±1.96 standard errors', () => {
    const values = Array.from({ length: 500 }, (_, i) => i % 2);
    const [low, high] = bootstrap(values, mean, seededRandom(3), 2000) ?? [0, 0];
    expect(high - low).toBeCloseTo((2 * 1.96 * 0.5) / Math.sqrt(500), 2);
  });

  it('a paired difference of equal models is exactly nothing', () => {
    const both = items.map((item) => ({ a: item, b: item }));
    const difference = (sample: typeof both) =>
      (srcc(sample.map(({ a }) => a)) ?? 0) - (srcc(sample.map(({ b }) => b)) ?? 0);
    expect(bootstrap(both, difference, seededRandom(1), 100)).toEqual([0, 0]);
  });

  it('no items, no interval', () => {
    expect(bootstrap([], () => 1, seededRandom(1))).toBeNull();
    expect(bootstrap([1], () => 1, seededRandom(1), 0)).toBeNull();
  });

  it('a statistic that is mostly undefined has no interval', () => {
    let calls = 0;
    const statistic = () => ((calls += 1) % 10 === 0 ? null : 1);
    expect(bootstrap([1, 2], statistic, seededRandom(1), 100)).toBeNull();
  });

  it('a statistic that is undefined now and then still has one', () => {
    let calls = 0;
    const statistic = () => ((calls += 1) % 50 === 0 ? null : 1);
    expect(bootstrap([1, 2], statistic, seededRandom(1), 100)).toEqual([1, 1]);
  });
});
