/** Money: what usage costs, and that a cap holds whatever is in flight. */
import { describe, expect, it } from 'vitest';
import { addUsage, batchPrices, cost, noUsage, type Purse, reserve, settle } from '../../domain/estimate/budget.ts';

/** gpt-4o's list price of 2024-10: USD 2.50, 1.25 cached, 10.00 a million tokens. */
const prices = { input: 2.5, cached_input: 1.25, output: 10 };

describe('cost', () => {
  it.each([
    ['nothing costs nothing', noUsage, 0],
    ['a million of each', { input: 1e6, cachedInput: 0, output: 1e6 }, 12.5],
    ['cached input is part of input', { input: 1e6, cachedInput: 4e5, output: 0 }, 0.6 * 2.5 + 0.4 * 1.25],
    [
      'one critique of the paper: two images, some text, 370 tokens back',
      { input: 2000, cachedInput: 0, output: 370 },
      0.0087,
    ],
    ['more cached than input is no refund', { input: 10, cachedInput: 20, output: 0 }, (20 * 1.25) / 1e6],
  ])('%s', (_name, usage, usd) => {
    expect(cost(usage, prices)).toBeCloseTo(usd, 12);
  });

  it.each([
    ['half off', 0.5, 6.25],
    ['nothing off', 0, 12.5],
    ['all off', 1, 0],
  ])('in the Batch API: %s', (_name, batch_discount, usd) => {
    const usage = { input: 1e6, cachedInput: 0, output: 1e6 };
    expect(cost(usage, batchPrices({ ...prices, batch_discount }))).toBeCloseTo(usd, 12);
  });

  it('usage adds up', () => {
    const usage = { input: 3, cachedInput: 2, output: 1 };
    expect(addUsage(usage, usage)).toEqual({ input: 6, cachedInput: 4, output: 2 });
  });
});

describe('reserve and settle', () => {
  const purse: Purse = { cap: 10, spent: 4, reserved: 3 };
  it.each<[string, number, Purse | undefined]>([
    ['what fits is reserved', 2, { cap: 10, spent: 4, reserved: 5 }],
    ['the cap itself may be reached', 3, { cap: 10, spent: 4, reserved: 6 }],
    ['what passes the cap is refused', 3.01, undefined],
    ['NaN is refused', Number.NaN, undefined],
    ['a negative amount is refused', -1, undefined],
    ['nothing costs nothing', 0, purse],
  ])('%s', (_name, amount, expected) => {
    expect(reserve(purse, amount)).toEqual(expected);
  });

  it('settling gives the reservation back and spends what was used', () => {
    expect(settle(purse, 3, 1)).toEqual({ cap: 10, spent: 5, reserved: 0 });
  });

  it('a reservation is never given back twice', () => {
    expect(settle({ cap: 10, spent: 0, reserved: 1 }, 3, 0).reserved).toBe(0);
  });

  it('with a cap of 0 nothing can be bought', () => {
    expect(reserve({ cap: 0, spent: 0, reserved: 0 }, 0.01)).toBeUndefined();
  });
});
