import { describe, expect, it } from 'vitest';
import {
  attemptName,
  isSafeName,
  jobStages,
  parseAttemptName,
  recipeInRun,
  recipeOfRun,
  runId,
} from '../../domain/names.ts';

const startedAt = new Date('2026-11-23T19:00:00.123Z');
const longest = 'a-recipe-of-24-letters-x';

describe('names', () => {
  it.each(jobStages)('of any attempt of %s up to the 9,999th fit Slurm’s 64 characters and are read back', (stage) => {
    expect(longest).toHaveLength(24);
    const run = runId(longest, startedAt);
    for (const attempt of [1, 99, 100, 9_999]) {
      const name = attemptName(run, stage, attempt);
      expect(name.length).toBeLessThanOrEqual(64);
      expect(isSafeName(name)).toBe(true);
      expect(parseAttemptName(name)).toEqual({ run, stage, attempt });
    }
  });

  it('of a run begin with as much of its recipe’s name as is read back', () => {
    expect(runId('demo', startedAt)).toBe('demo-20261123-190000');
    for (const recipe of ['demo', longest]) expect(recipeOfRun(runId(recipe, startedAt))).toBe(recipeInRun(recipe));
    expect(recipeOfRun('no-run-id')).toBeUndefined();
  });
});
