/** Seeded order: random, and the same on every machine. */
import { describe, expect, it } from 'vitest';
import { mixOrder } from '../../../domain/critique/mix.ts';
import { seededRandom, shuffled, textHash } from '../../../domain/evaluation/seeded-random.ts';

const ids = Array.from({ length: 20 }, (_, i) => `p${i}`);
const both = { reasoned: ids, bare: ids };
const published = { cot: 1, direct: 1 };

describe('mixOrder', () => {
  it.each([
    ['the published mix: each pair once in each form', 1, 20],
    ['no direct records', 0, 0],
    ['half as many direct', 0.5, 10],
    ['more direct than pairs: whole rounds and a rest', 2.25, 45],
    ['a ratio that does not divide is rounded', 0.33, 7],
  ])('%s', (_name, ratio, direct) => {
    const items = mixOrder(both, { cot: 1, direct: ratio }, 1);
    const of = (form: string) => items.filter((item) => item.form === form).map((item) => item.pairId);
    expect(of('reasoning').toSorted()).toEqual(ids.toSorted());
    expect(of('direct')).toHaveLength(direct);
    const counts = ids.map((id) => of('direct').filter((other) => other === id).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('the same seed gives the same order, another seed another', () => {
    expect(mixOrder(both, published, 7)).toEqual(mixOrder(both, published, 7));
    expect(mixOrder(both, published, 8)).not.toEqual(mixOrder(both, published, 7));
  });

  it('the forms are mixed, not one after the other', () => {
    const firstHalf = mixOrder(both, published, 3).slice(0, 20);
    const reasoning = firstHalf.filter((item) => item.form === 'reasoning').length;
    expect(reasoning).toBeGreaterThan(4);
    expect(reasoning).toBeLessThan(16);
  });

  it('no pairs, no records', () => {
    expect(mixOrder({ reasoned: [], bare: [] }, { cot: 1, direct: 3 }, 1)).toEqual([]);
  });

  it.each([-1, Number.NaN, Infinity])('a ratio of %d is refused', (ratio) => {
    expect(() => mixOrder(both, { cot: 1, direct: ratio }, 1)).toThrow('mix.direct: expected a number ≥ 0');
    expect(() => mixOrder(both, { cot: ratio, direct: 1 }, 1)).toThrow('mix.cot: expected a number from 0 to 1');
  });

  it('has a share of the critiqued pairs alone with reasoning, and bare scores of all', () => {
    const items = mixOrder({ reasoned: ids.slice(0, 10), bare: ids }, { cot: 0.4, direct: 1 }, 1);
    const of = (form: string) => items.filter((item) => item.form === form).map((item) => item.pairId);
    expect(new Set(of('reasoning')).size).toBe(4);
    expect(ids.slice(0, 10)).toEqual(expect.arrayContaining(of('reasoning')));
    expect(of('direct').toSorted()).toEqual(ids.toSorted());
    expect(of('reasoning')).not.toEqual(ids.slice(0, 4));
  });

  it('is without reasoning where the share is 0', () => {
    const items = mixOrder(both, { cot: 0, direct: 1 }, 1);
    expect(items.map(({ form }) => form)).toEqual(ids.map(() => 'direct'));
  });

  it('of the published shares is the order of earlier releases', () => {
    const few = ids.slice(0, 3);
    const order = mixOrder({ reasoned: few, bare: few }, published, 1).map(({ pairId, form }) => `${pairId} ${form}`);
    expect(order.join(', ')).toBe('p2 reasoning, p0 direct, p1 direct, p2 direct, p1 reasoning, p0 reasoning');
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
