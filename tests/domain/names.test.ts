import { describe, expect, it } from 'vitest';
import {
  attemptName,
  isJobStage,
  isSafeName,
  isStage,
  jobKind,
  type JobStage,
  parseAttemptName,
  recipeInRun,
  recipeOfRun,
  runId,
} from '../../domain/names.ts';

const startedAt = new Date('2026-11-23T19:00:00.123Z');
const longest = 'a-recipe-of-24-letters-x';

describe('names', () => {
  const jobStages: JobStage[] = ['sft', 'grpo', 'predict-base', 'predict-sft', 'predict-grpo'];
  it.each(jobStages)('of any attempt of %s up to the 9,999th have at most 64 characters and are read back', (stage) => {
    expect(longest).toHaveLength(24);
    const run = runId(longest, startedAt);
    for (const attempt of [1, 99, 100, 9_999]) {
      const name = attemptName(run, stage, attempt);
      expect(name.length).toBeLessThanOrEqual(64);
      expect(isSafeName(name)).toBe(true);
      expect(parseAttemptName(name)).toEqual({ run, stage, attempt });
    }
  });

  it.each(['predict-grpo.other', 'sft-llamafactory', 'grpo-seed.2', 'predict'] as const)(
    'of an attempt of %s, one of several of its kind, is read back',
    (stage) => {
      expect(isJobStage(stage)).toBe(true);
      const run = runId('my-sft-predict', startedAt);
      expect(parseAttemptName(attemptName(run, stage, 3))).toEqual({ run, stage, attempt: 3 });
    },
  );

  it('of an attempt of a stage with the longest name are such as the client of slurmrestd lets through', () => {
    const stage = `predict-${'a'.repeat(16)}` as const;
    expect(isStage(stage)).toBe(true);
    const name = attemptName(runId(longest, startedAt), stage, 9_999);
    expect(name).toHaveLength(76);
    expect(name).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
    expect(parseAttemptName(name)?.stage).toBe(stage);
  });

  it.each([
    'rlhf',
    'sfft',
    'predict-',
    'predict-a-b',
    'predict-../x',
    'predict-A',
    'predict-a..b',
    '',
    `sft-${'a'.repeat(21)}`,
  ])('of a stage are a kind and which one of it: %j is none', (text) => expect(isStage(text)).toBe(false));

  it('of a job’s stage say its kind, of other stages and other jobs nothing', () => {
    expect(['sft', 'grpo-b', 'predict-base'].filter(isJobStage).map(jobKind)).toEqual(['sft', 'grpo', 'predict']);
    expect(['mix', 'evaluation-b', 'sftx'].filter(isJobStage)).toEqual([]);
    expect(parseAttemptName('critic-demo-20261123-190000-mix-a1')).toBeUndefined();
  });

  it('of a run begin with as much of its recipe’s name as is read back', () => {
    expect(runId('demo', startedAt)).toBe('demo-20261123-190000');
    for (const recipe of ['demo', longest]) expect(recipeOfRun(runId(recipe, startedAt))).toBe(recipeInRun(recipe));
    expect(recipeOfRun('no-run-id')).toBeUndefined();
  });
});
