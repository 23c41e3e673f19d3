/** Seeded order: random, and the same on every machine. */
import { describe, expect, it } from 'vitest';
import { mixOrder } from '../../../domain/critique/mix.ts';
import { seededRandom, shuffled, textHash } from '../../../domain/evaluation/seeded-random.ts';

const ids = Array.from({ length: 20 }, (_, i) => `p${i}`);

describe('mixOrder', () => {
  it.each([
    ['the published mix: each pair once in each form', 1, 20],
    ['no direct records', 0, 0],
    ['half as many direct', 0.5, 10],
    ['more direct than pairs: whole rounds and a rest', 2.25, 45],
    ['a ratio that does not divide is rounded', 0.33, 7],
  ])('%s', (_name, ratio, direct) => {
    const items = mixOrder(ids, ratio, 1);
    const of = (form: string) => items.filter((item) => item.form === form).map((item) => item.pairId);
    expect(of('reasoning').toSorted()).toEqual(ids.toSorted());
    expect(of('direct')).toHaveLength(direct);
    const counts = ids.map((id) => of('direct').filter((other) => other === id).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('the same seed gives the same order, another seed another', () => {
    expect(mixOrder(ids, 1, 7)).toEqual(mixOrder(ids, 1, 7));
    expect(mixOrder(ids, 1, 8)).not.toEqual(mixOrder(ids, 1, 7));
  });

  it('the forms are mixed, not one after the other', () => {
    const firstHalf = mixOrder(ids, 1, 3).slice(0, 20);
    const reasoning = firstHalf.filter((item) => item.form === 'reasoning').length;
    expect(reasoning).toBeGreaterThan(4);
    expect(reasoning).toBeLessThan(16);
  });

  it('no pairs, no records', () => {
    expect(mixOrder([], 3, 1)).toEqual([]);
  });

  it.each([-1, Number.NaN, Infinity])('a ratio of %d is refused', (ratio) => {
    expect(() => mixOrder(ids, ratio, 1)).toThrow('mix.direct_per_reasoning: expected a number ≥ 0');
  });
});

describe('seededRandom', () => {
  it.each([
    [0, 0.26642920868471265],
    [1, 0.6270739405881613],
    [2 ** 32, 0.26642920868471265],
  ])('seed %d starts with the number of the reference implementation', (seed, first) => {
    expect(seededRandom(seed)()).toBe(first);
  });

  it('is uniform enough: ten thousand numbers fill ten bins within five per cent of each other', () => {
    const random = seededRandom(5);
    const bins = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i += 1) {
      const bin = Math.floor(random() * 10);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    expect(Math.min(...bins)).toBeGreaterThan(9500);
    expect(Math.max(...bins)).toBeLessThan(10_500);
  });
});

it('shuffled keeps every item and leaves the given list alone', () => {
  const given = [3, 1, 2, 2];
  expect(shuffled(given, seededRandom(1)).toSorted((a, b) => a - b)).toEqual([1, 2, 2, 3]);
  expect(given).toEqual([3, 1, 2, 2]);
});

it.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
])('textHash of %j is the published FNV-1a value', (text, expected) => {
  expect(textHash(text)).toBe(expected);
});
