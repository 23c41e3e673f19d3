/** Rewards and the reading of answers, held to the cases that the trainer's Python gives too. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { accuracyReward, reward, type RewardParams } from '../../../domain/critique/reward.ts';

const shapes = ['l1', 'l2', 'gaussian', 'laplace'] as const;
const goldenSchema = z.object({
  cases: z
    .array(
      z.object({
        name: z.string(),
        text: z.string(),
        mos: z.number(),
        params: z.object({ shape: z.enum(shapes), format_weight: z.number(), floor: z.number() }),
        expected: z.object({ accuracy: z.number(), format: z.number(), overall: z.number() }),
      }),
    )
    .min(25),
});
const goldenFile = new URL('../../golden/reward.json', import.meta.url);
const { cases } = goldenSchema.parse(JSON.parse(readFileSync(goldenFile, 'utf8')));

describe('reward is what tests/golden/reward.json says', () => {
  it.each(cases)('$name', ({ text, mos, params, expected }) => {
    const found = reward(text, mos, params);
    expect(found.accuracy).toBeCloseTo(expected.accuracy, 9);
    expect(found.format).toBe(expected.format);
    expect(found.overall).toBeCloseTo(expected.overall, 9);
  });
});

describe('accuracy by distance', () => {
  it.each(shapes)('%s falls from 1 at no distance to the floor at one point, and stays there', (shape) => {
    const at = (distance: number) => accuracyReward(distance, { shape, floor: 0.05 });
    expect(at(0)).toBe(1);
    expect(at(1)).toBeCloseTo(0.05, 12);
    expect(at(4)).toBe(0.05);
    const steps = Array.from({ length: 21 }, (_, i) => at(i / 20));
    expect(steps).toEqual(steps.toSorted((a, b) => b - a));
  });

  it.each([
    ['l1', 1 - 0.95 * 0.5],
    ['l2', 1 - 0.95 * 0.25],
    ['gaussian', Math.exp(-(0.125 ** 2) / (2 * (0.25 / Math.sqrt(2 * Math.log(20))) ** 2))],
    ['laplace', Math.exp(-0.125 / (0.25 / Math.log(20)))],
  ] as const)('%s at half a point, by the published formula', (shape, expected) => {
    expect(accuracyReward(0.5, { shape, floor: 0.05 })).toBeCloseTo(expected, 12);
  });

  it('a floor of 0 leaves gaussian and laplace nothing but the exact score', () => {
    const params: RewardParams = { shape: 'laplace', format_weight: 1, floor: 0 };
    expect(accuracyReward(0, params)).toBe(1);
    expect(accuracyReward(0.01, params)).toBe(0);
  });
});
