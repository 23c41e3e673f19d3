/** Measuring an experiment: paired differences of arms, and what they say of a published sentence. */
import { describe, expect, it } from 'vitest';
import type { JudgedItem } from '../../../domain/evaluation/evaluation.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';
import type { Direction } from '../../../domain/experiment/experiment.ts';
import {
  type ExperimentMeasures,
  measureExperiment,
  type MemberItems,
  verdictOf,
} from '../../../domain/experiment/measuring.ts';

/** Answers to 24 pairs of 12 sources whose scores are off by up to `noise`, with so many tokens. */
function items(noise: number, tokens: number, seed = 1): JudgedItem[] {
  const random = seededRandom(seed);
  return Array.from({ length: 24 }, (_, index) => {
    const mos = 1 + ((index * 7) % 40) / 10;
    const score = Math.min(5, Math.max(1, mos + noise * (2 * random() - 1)));
    const answer = { score, accuracy: 0, format: 1, overall: 1, tokens: tokens + (index % 3) };
    return { id: `p${index}`, source: `s${index % 12}`, mos, greedy: answer, sampled: answer };
  });
}

const member = (arm: string, noise: number, tokens: number, seed = 1, more: Partial<MemberItems> = {}): MemberItems => {
  return { arm, seed, grpo: items(noise, tokens, seed + 10), start: items(1, 50, seed + 20), hasSft: true, ...more };
};

function measured(members: MemberItems[], directions: Direction[] = [], arms = ['a', 'b']): ExperimentMeasures {
  const steps = measureExperiment({ members, arms, baseline: 'a', directions, seed: 3 });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const direction = (fields: Partial<Direction>): Direction => {
  return { says: 's', metric: 'main_score', of: 'grpo', arm: 'b', is: 'higher', than: 'a', ...fields };
};

describe('an experiment', () => {
  it('says how much better each arm is than the baseline, on the same pairs', () => {
    const { arms, pairs, resampling } = measured([member('a', 2, 50), member('b', 0.3, 80)]);
    expect({ pairs, unit: resampling.unit, units: resampling.units }).toEqual({ pairs: 24, unit: 'source', units: 12 });
    const [a, b] = arms;
    expect(a).toMatchObject({ arm: 'a', seeds: [1], versus: {} });
    const better = b?.versus.grpo?.main_score;
    expect(better?.value).toBeCloseTo(
      (b?.own.grpo?.main_score?.value ?? 0) - (a?.own.grpo?.main_score?.value ?? 0),
      10,
    );
    expect(better?.interval?.[0]).toBeGreaterThan(0);
    expect(b?.versus.grpo?.tokens_sampled).toMatchObject({ value: 30, perSeed: [30] });
    expect(b?.own.gain?.tokens_sampled?.value).toBeCloseTo(30);
    // The same start: both gained from it, and the difference of gains is that of the ends.
    expect(b?.versus.gain?.tokens_sampled?.value).toBeCloseTo(30);
    expect(b?.versus.sft?.tokens_sampled?.value).toBe(0);
  });

  it('judges sentences by their intervals, and says what it cannot tell', () => {
    const { directions } = measured(
      [member('a', 2, 50), member('b', 0.3, 80), member('c', 2, 50, 1)],
      [
        direction({}),
        direction({ is: 'lower' }),
        direction({ arm: 'c' }),
        direction({ metric: 'tokens_sampled', of: 'gain', arm: 'b', is: 'higher' }),
        direction({ arm: 'd' }),
      ].map((one, index) => {
        const { than: _than, ...rest } = one;
        return index === 3 ? rest : one;
      }),
      ['a', 'b', 'c', 'd'],
    );
    // c is a itself: the difference is exactly zero.
    expect(directions.map(({ verdict }) => verdict)).toEqual(['shown', 'opposite', 'open', 'shown', 'missing']);
    expect(directions[4]?.measured).toBeNull();
  });

  it('compares seed by seed, and leaves out a seed that one of the two has not', () => {
    const { arms } = measured([
      member('a', 1, 50, 1),
      member('a', 1, 60, 2),
      member('b', 1, 90, 2),
      member('b', 1, 0, 3),
    ]);
    const b = arms.find(({ arm }) => arm === 'b');
    expect(b?.seeds).toEqual([2, 3]);
    expect(b?.versus.grpo?.tokens_sampled?.perSeed).toEqual([30]);
    expect(b?.own.grpo?.tokens_sampled?.perSeed).toEqual([91, 1]);
  });

  it('says which arm lacks a number and why, where a sentence cannot be judged', () => {
    const flat = items(1, 5).map((item) => ({ ...item, greedy: { ...item.greedy, score: 3 } }));
    const told = [
      direction({ of: 'grpo' }),
      direction({ of: 'gain' }),
      direction({ of: 'sft' }),
      direction({ arm: 'c' }),
      direction({ arm: 'c', than: 'd' }),
    ];
    const { arms, directions } = measured(
      [member('a', 1, 50), member('b', 1, 50, 1, { grpo: flat, start: flat, hasSft: false })],
      told,
    );
    const one = 'all its 24 answers give the score 3';
    expect(arms.map(({ unmeasured }) => unmeasured)).toEqual([undefined, `no MainScore: ${one}`]);
    expect(directions.map(({ verdict, why }) => [verdict, why])).toEqual([
      ['open', `b has no MainScore: ${one}`],
      ['open', `b has no MainScore: after GRPO ${one}; before it ${one}`],
      ['missing', 'b was not predicted after SFT'],
      ['missing', 'c has no run with numbers'],
      ['missing', 'c and d have no run with numbers'],
    ]);
    const [first, second] = measured([member('a', 1, 50, 1), member('a', 1, 50, 2, { grpo: flat })]).arms;
    expect(first?.unmeasured).toBe(`no MainScore: seed 2: ${one}`);
    expect(second?.unmeasured).toBeUndefined();
  });

  it('takes the pairs that all runs have, with the same MOS', () => {
    const [first, second, ...rest] = items(1, 10);
    if (first === undefined || second === undefined) throw new Error('no items');
    const fewer = { ...member('b', 1, 10), grpo: [{ ...second, mos: second.mos + 0.1 }, ...rest] };
    expect(measured([member('a', 1, 10), fewer]).pairs).toBe(22);
  });

  it('of which nothing was measured says so', () => {
    expect(measured([], [direction({})])).toMatchObject({ pairs: 0, directions: [{ verdict: 'missing' }] });
  });

  it('has no gain where the start was not predicted, and none after SFT where there was no SFT', () => {
    const { arms } = measured([member('a', 1, 50, 1, { start: [] }), member('b', 1, 50, 1, { hasSft: false })]);
    expect(arms[0]?.own.gain).toEqual({});
    expect(arms[1]?.own.sft).toEqual({});
    expect(arms[1]?.own.gain?.tokens_sampled?.value).toBe(0);
  });
});

it('a bound at zero tells nothing', () => {
  const at = (interval: [number, number] | null) => verdictOf({ value: 0, interval, perSeed: [] }, 'higher');
  expect([at([1e-12, 1]), at([-1, 0]), at([0.1, 1]), at([-1, -0.1]), at(null)]).toEqual([
    'open',
    'open',
    'shown',
    'opposite',
    'open',
  ]);
});
