/** Arms of an experiment: names, combinations of axes, and what they make of a recipe. */
import { describe, expect, it } from 'vitest';
import { armsOf, withOverrides } from '../../../domain/experiment/arms.ts';
import { experimentId, isExperimentName, memberName } from '../../../domain/experiment/experiment.ts';
import { isSafeName, parseAttemptName, attemptName, runId } from '../../../domain/names.ts';

describe('arms', () => {
  it('are those that are named, then every combination of the axes', () => {
    const grid = { shape: { l1: { a: 1 }, l2: { a: 2 } }, rate: { slow: { 'b.c': 1 }, fast: { 'b.c': 2 } } };
    expect(armsOf({ plain: {} }, grid)).toEqual([
      { name: 'plain', set: {} },
      { name: 'l1-slow', set: { a: 1, 'b.c': 1 } },
      { name: 'l1-fast', set: { a: 1, 'b.c': 2 } },
      { name: 'l2-slow', set: { a: 2, 'b.c': 1 } },
      { name: 'l2-fast', set: { a: 2, 'b.c': 2 } },
    ]);
    expect(armsOf({ one: { a: 1 } }, {})).toEqual([{ name: 'one', set: { a: 1 } }]);
  });

  it('change a copy of the recipe, deep fields after the sections they are in', () => {
    const recipe = { sft: { epochs: 1, batch_size: 8 }, grpo: { steps: 5 } };
    expect(withOverrides(recipe, { 'sft.epochs': 2, 'grpo.reward.shape': 'l2', seed: 3 })).toEqual({
      sft: { epochs: 2, batch_size: 8 },
      grpo: { steps: 5, reward: { shape: 'l2' } },
      seed: 3,
    });
    expect(withOverrides(recipe, { 'sft.epochs': 2, sft: 'none' })).toEqual({ sft: { epochs: 2 }, grpo: { steps: 5 } });
    expect(withOverrides(recipe, { sft: 'none' })).toEqual({ sft: 'none', grpo: { steps: 5 } });
    expect(recipe).toEqual({ sft: { epochs: 1, batch_size: 8 }, grpo: { steps: 5 } });
  });
});

describe('the names of an experiment', () => {
  it('are safe, and the id of a run holds experiment, arm and seed', () => {
    expect(experimentId('sweep', new Date('2026-11-29T03:04:05Z'))).toBe('experiment-sweep-20261129-030405');
    expect(memberName('reward-sweep', 'gaussian', 1, 1)).toBe('reward-sweep.gaussian');
    expect(memberName('reward-sweep', 'gaussian', 3, 3)).toBe('reward-swe.gaussian.s3');
    expect(['a', 'a.b', 'x'.repeat(24)].map(isExperimentName)).toEqual([true, true, true]);
    expect(['', '.a', 'a b', 'x'.repeat(25)].map(isExperimentName)).toEqual([false, false, false, false]);
  });

  it.each([
    ['a', 'x'.repeat(24), 7],
    ['e'.repeat(24), 'a.b-c', 2147483647],
    ['e-.', 'sft', 1],
    ['x.', 'y', 1],
  ])('of experiment %s and arm %s name a run whose jobs are found again', (experiment, arm, seed) => {
    const name = memberName(experiment, arm, seed, 2);
    expect(isSafeName(name, 22)).toBe(true);
    const run = runId(name, new Date('2026-11-29T03:04:05Z'));
    expect(parseAttemptName(attemptName(run, 'grpo', 2))).toEqual({ run, stage: 'grpo', attempt: 2 });
  });
});
