/** Metrics against scipy (tests/golden/make_metrics.py wrote the numbers), and what has no number. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { logisticFit } from '../../../domain/evaluation/logistic-fit.ts';
import {
  agreement,
  bootstrap,
  kendall,
  mean,
  pearson,
  ranks,
  type Scored,
  spearman,
} from '../../../domain/evaluation/metrics.ts';
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
    const fit = logisticFit(predicted, mos);
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

  it.each([
    ['fewer than five points', [1, 2], [1, 2], 'too-few-points'],
    ['lists of unequal length', [1, 2, 3, 4, 5], [1, 2, 3, 4], 'too-few-points'],
    ['constant predictions', [2, 2, 2, 2, 2], [1, 2, 3, 4, 5], 'constant-predictions'],
    ['constant opinions', [1, 2, 3, 4, 5], [2, 2, 2, 2, 2], 'constant-targets'],
    ['NaN among the predictions', [1, 2, Number.NaN, 4, 5], [1, 2, 3, 4, 5], 'not-finite'],
    ['infinity among the opinions', [1, 2, 3, 4, 5], [1, 2, Infinity, 4, 5], 'not-finite'],
  ])('the fit says why: %s', (_name, x, y, reason) => {
    expect(logisticFit(x, y)).toEqual({ kind: 'undefined', reason });
  });

  it('NaN never comes out as a correlation', () => {
    expect(pearson([1, Number.NaN, 3], [1, 2, 3])).toBeNull();
    expect(pearson([1, 2, 3], [1, 2])).toBeNull();
    expect(kendall([1, Number.NaN, 3], [1, 2, 3])).toBeNull();
    expect(kendall([1, 2, 3], [1, Infinity, 3])).toBeNull();
    expect(kendall([1, 2, 3], [1, 2])).toBeNull();
    expect(spearman(scored([1, Number.NaN, 3], [1, 2, 3]))).toBeNull();
    expect(agreement(scored([1, 2, 3, 4, 5, Number.NaN], [1, 2, 3, 4, 5, 5])).srcc).toBeNull();
  });

  it('a correlation never leaves [-1, 1] by rounding', () => {
    const x = Array.from({ length: 997 }, (_, i) => 1 + (i * 7919) / 1e6);
    expect(pearson(x, x)).toBeLessThanOrEqual(1);
    expect(pearson(x, x.toReversed())).toBeGreaterThanOrEqual(-1);
  });
});

describe('ranks', () => {
  it.each([
    ['nothing', [], []],
    ['distinct values', [30, 10, 20], [3, 1, 2]],
    ['a pair of equals shares its mean rank', [1, 2, 2, 3], [1, 2.5, 2.5, 4]],
    ['all equal', [5, 5, 5], [2, 2, 2]],
    ['negative values', [-1, -3, 0], [2, 1, 3]],
    ['NaN has no place', [1, Number.NaN], [Number.NaN, Number.NaN]],
  ])('%s', (_name, values, expected) => {
    expect(ranks(values)).toEqual(expected);
  });

  it('Kendall counts a tie on one side as neither right nor wrong', () => {
    expect(kendall([1, 1, 2], [1, 2, 3])).toBeCloseTo(2 / Math.sqrt(2 * 3), 12);
  });
});

describe('Kendall in n log n', () => {
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
    expect(kendall(x, x)).toBe(1);
    expect(kendall(x, x.toReversed())).toBe(-1);
  });
});

describe('bootstrap', () => {
  const items = scored(cases[0]?.predicted ?? [], cases[0]?.mos ?? []);

  it('the same seed gives the same interval', () => {
    const interval = () => bootstrap(items, spearman, seededRandom(7), 200);
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
      (spearman(sample.map(({ a }) => a)) ?? 0) - (spearman(sample.map(({ b }) => b)) ?? 0);
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
