import { describe, expect, it } from 'vitest';
import { isSafeName, parseAttemptName, attemptName } from '../../../domain/names.ts';
import { onOurScale, plainMapping } from '../../../domain/scoring/mapping.ts';
import { scoreOf } from '../../../domain/scoring/scores.ts';
import { scoringId, scoringStages } from '../../../domain/scoring/scoring.ts';

const says = (score: string) => `<think>The sky is red.</think>\n<answer>${score}</answer>`;

describe('a score', () => {
  it('is that of the greedy answer, with mean and deviation of the sampled ones that can be read', () => {
    expect(scoreOf(says('3.00'), [says('2.00'), 'no idea', says('4.00')])).toEqual({
      score: 3,
      samples: [2, null, 4],
      mean: 3,
      sd: Math.SQRT2,
      critique: 'The sky is red.',
    });
  });

  it('is null where the answer cannot be read, and one sample has no deviation', () => {
    expect(scoreOf(says('7'), [says('4.50')])).toEqual({
      score: null,
      samples: [4.5],
      mean: 4.5,
      sd: null,
      critique: '',
    });
    expect(scoreOf('', ['', ''])).toEqual({ score: null, samples: [null, null], mean: null, sd: null, critique: '' });
  });
});

describe('people’s scale', () => {
  const of100 = { ...plainMapping, scale: { from: 0, to: 100 } };
  it.each([
    [0, 1],
    [50, 3],
    [100, 5],
  ])('%d of 0 to 100 is %d of 1 to 5', (value, ours) => {
    expect(onOurScale(value, of100)).toBe(ours);
    expect(onOurScale(value, { ...of100, direction: 'lower-is-better' })).toBe(6 - ours);
  });

  it.each([-1, 101, Number.NaN, Infinity])('has no %d', (value) => {
    expect(onOurScale(value, of100)).toEqual({ fault: 'expected 0 to 100' });
  });
});

describe('the id of a scoring', () => {
  const at = new Date('2026-11-29T03:15:00.400Z');
  it.each([
    [{ champion: 'demo' }, 'score-demo-20261129-031500'],
    [{ run: 'smoke-20261128-190000', stage: 'sft' as const }, 'score-smoke-20261129-031500'],
    [{ champion: 'a-very-long-name-of-a.champion' }, 'score-a-very-long-name-20261129-031500'],
  ])('says what it is called after, %o', (critic, id) => {
    expect(scoringId({ purpose: 'score', critic }, at)).toBe(id);
    expect(isSafeName(id)).toBe(true);
    const name = attemptName(id, scoringStages.job, 2);
    expect(parseAttemptName(name)).toEqual({ run: id, stage: scoringStages.job, attempt: 2 });
  });
});
