/** Estimates over seeds: what is known of one, and how wide the interval is with several. */
import { describe, expect, it } from 'vitest';
import { pool, tQuantile } from '../../../domain/experiment/pooling.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

const random = seededRandom(5);
/** Standard normal (Box–Muller). */
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const spread = (value: number, sd: number, count = 200) => Array.from({ length: count }, () => value + sd * normal());

describe('Student’s quantile', () => {
  it('is that of the table, and never smaller than the true one', () => {
    expect([1, 2, 2.99, 30, 35, 45, 1e6].map(tQuantile)).toEqual([12.706, 4.303, 4.303, 2.042, 2.042, 2.021, 1.962]);
  });
});

describe('an estimate', () => {
  it('of one seed is its own, with the percentile interval of its resamples', () => {
    const values = Array.from({ length: 201 }, (_, index) => index / 100);
    const { value, interval, perSeed } = pool([{ value: 1, values }], 20);
    expect({ value, perSeed }).toEqual({ value: 1, perSeed: [1] });
    expect(interval?.[0]).toBeCloseTo(0.05, 2);
    expect(interval?.[1]).toBeCloseTo(1.95, 2);
  });

  it('of seeds that agree is wide by pictures alone, of seeds that do not by what they differ', () => {
    const agree = pool(
      [0.5, 0.5, 0.5].map((value) => ({ value, values: spread(value, 0.02) })),
      50,
    );
    const width = (one: ReturnType<typeof pool>) => (one.interval?.[1] ?? 0) - (one.interval?.[0] ?? 0);
    const differ = pool(
      [0.2, 0.5, 0.8].map((value) => ({ value, values: spread(value, 0.02) })),
      50,
    );
    expect(agree.value).toBeCloseTo(0.5);
    expect(width(agree)).toBeLessThan(0.08);
    // Two degrees of freedom: 4.303 · 0.3 / √3 on each side.
    expect(width(differ)).toBeCloseTo(2 * 4.303 * (0.3 / Math.sqrt(3)), 1);
  });

  it('holds the truth in 95 % of experiments or more, with three seeds and with five', () => {
    for (const seeds of [3, 5]) {
      let held = 0;
      const experiments = 2000;
      for (let i = 0; i < experiments; i += 1) {
        // The pictures are the same for all seeds, and so is their luck.
        const pictures = 0.05 * normal();
        const ones = Array.from({ length: seeds }, () => {
          const value = pictures + 0.05 * normal();
          return { value, shift: value };
        });
        const resampled = spread(0, 0.05, 60);
        const { interval } = pool(
          ones.map(({ value }) => ({ value, values: resampled.map((one) => value + one) })),
          40,
        );
        if (interval !== null && interval[0] <= 0 && interval[1] >= 0) held += 1;
      }
      expect(held / experiments).toBeGreaterThan(0.94);
      expect(held / experiments).toBeLessThan(0.995);
    }
  });

  it('is undefined if it is for one seed, or for many resamples', () => {
    const fine = { value: 1, values: spread(1, 0.1) };
    expect(pool([fine, { value: null, values: fine.values }], 20)).toMatchObject({ value: null, interval: null });
    const holes = fine.values.map((value, index) => (index % 10 === 0 ? null : value));
    expect(pool([fine, { value: 1, values: holes }], 20)).toMatchObject({ value: 1, interval: null });
    expect(pool([], 20)).toEqual({ value: null, interval: null, perSeed: [] });
  });
});
