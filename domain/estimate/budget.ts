/** Budget: what requests cost. It is reserved before they are sent and settled by the answer's usage. All amounts are USD. */

/** USD per million tokens. */
export interface Prices {
  input: number;
  cached_input: number;
  output: number;
}

/** Prices in the Batch API. */
export function batchPrices(prices: Prices & { batch_discount: number }): Prices {
  const share = 1 - prices.batch_discount;
  return { input: prices.input * share, cached_input: prices.cached_input * share, output: prices.output * share };
}

/** Tokens of one request or of many. `cachedInput` is part of `input`. */
export interface Usage {
  input: number;
  cachedInput: number;
  output: number;
}

/** The tokens of no request. */
export const noUsage: Usage = { input: 0, cachedInput: 0, output: 0 };

/** Tokens of both together. */
export function addUsage(a: Usage, b: Usage): Usage {
  return { input: a.input + b.input, cachedInput: a.cachedInput + b.cachedInput, output: a.output + b.output };
}

/** Price of this usage in USD. If a server names more cached than input tokens, the price is still not negative. */
export function cost(usage: Usage, prices: Prices): number {
  const fresh = Math.max(0, usage.input - usage.cachedInput);
  return (fresh * prices.input + usage.cachedInput * prices.cached_input + usage.output * prices.output) / 1e6;
}

/** Money of a stage: `spent` is settled, `reserved` is in flight. */
export interface Purse {
  cap: number;
  spent: number;
  reserved: number;
}

/** The purse with `amount` (≥ 0) reserved. Undefined if that exceeds the cap, or if `amount` is not an amount of money. */
export function reserve(purse: Purse, amount: number): Purse | undefined {
  // Compared in this direction, NaN never passes the cap.
  const fits = amount >= 0 && purse.spent + purse.reserved + amount <= purse.cap;
  if (!fits) return undefined;
  return { ...purse, reserved: purse.reserved + amount };
}

/** The purse after an answer: the reservation is given back, and what was used is spent. */
export function settle(purse: Purse, reserved: number, used: number): Purse {
  return { ...purse, reserved: Math.max(0, purse.reserved - reserved), spent: purse.spent + used };
}
