/** The goal on servers that count differently: 97 % of a drained limit, 90 % of a fresh one, half a percent refused. Simulated. */
import { describe, expect, it } from 'vitest';
import { tierLimits } from '../../../bench/synthesis/tiers.ts';
import { type ServerKind, simulate } from './simulated-limits.ts';

const ours = (tokens: number) => tokens;
const flat = () => 765;
const otherHands = { requestsPerMinute: 600, tokensPerMinute: 600_000 };

const plain: ServerKind = {
  ...otherHands,
  fill: 0,
  latency: 1,
  charge: 'max',
  told: 'admission',
  picture: ours,
  charactersPerToken: 4.4,
  wait: 'ms',
  usage: 'true',
};

const taken: Partial<ServerKind> = { charge: 'afterwards', told: 'answer' };
const counts: [string, Partial<ServerKind>][] = [
  ['765 tokens a picture', { picture: flat }],
  ['765 tokens a picture, taken as used when it answers', { picture: flat, ...taken }],
];
const grid = [otherHands, ...[1, 2, 4].map(tierLimits)].flatMap((limits) =>
  counts.flatMap(([name, count]) => [0.3, 1, 6].map((latency) => row(name, { ...limits, ...count, latency }))),
);
const others = [
  row('our count', {}),
  row('2.5 characters a token', { charactersPerToken: 2.5 }),
  row('7 characters a token', { charactersPerToken: 7 }),
  row('refusals in whole seconds', { picture: flat, wait: 'seconds' }),
  row('refusals that say no time', { picture: flat, wait: 'none' }),
  row('headers of the moment of the answer', { picture: flat, told: 'answer' }),
  row('a count that usage does not tell', { picture: flat, usage: 'ours' }),
  row('33 times our count', { ...tierLimits(4), picture: (tokens) => 33 * tokens }),
  row('our count', tierLimits(3)),
  row('our count, bound by requests', tierLimits(5)),
];

function row(name: string, change: Partial<ServerKind>): { name: string; kind: ServerKind } {
  const kind = { ...plain, ...change };
  const { requestsPerMinute, tokensPerMinute, latency } = kind;
  return { name: `${name}; ${requestsPerMinute} requests and ${tokensPerMinute} tokens a minute, ${latency} s`, kind };
}

/** A minute of tier 1 is a dozen requests, one of tier 5 ten thousand. */
function minutes({ tokensPerMinute, picture }: ServerKind): number {
  if (tokensPerMinute < 100_000) return 40;
  if (picture(1) > 30 && picture(1) < 100) return 12;
  return tokensPerMinute > 10_000_000 ? 2 : 4;
}

describe('the limiter', () => {
  it.each([...grid, ...others])('takes 97 % of a drained limit: $name', { timeout: 60_000 }, async ({ kind }) => {
    const { share, refused } = await simulate({ ...kind, fill: 0 }, minutes(kind), 1);
    expect(share).toBeGreaterThanOrEqual(0.97);
    expect(refused).toBeLessThanOrEqual(0.005);
  });

  it.each([...grid, ...others])('takes 90 % of a fresh minute: $name', { timeout: 60_000 }, async ({ kind }) => {
    const { share, firstMinute, refused } = await simulate({ ...kind, fill: 1 }, minutes(kind), 1);
    // A request is 5 % of a minute of tier 1.
    expect(kind.tokensPerMinute < 100_000 ? share : firstMinute).toBeGreaterThanOrEqual(0.9);
    expect(refused).toBeLessThanOrEqual(0.005);
  });
});
