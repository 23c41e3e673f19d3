/** The plan beside a run: written again by its own run, and never over that of another. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { writePlan } from '../../../activities/resuming/run-plans.ts';
import { isOfScoring } from '../../../activities/scoring/scoring.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import { makePlan, rejection, temporaryFolder } from '../fixtures.ts';

const run = 'demo-20261129-010000';
const plan = makePlan('/data', {}, run);
let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
});
const write = (given: RunPlan) => writePlan(root, given, async (kept) => isDeepStrictEqual(kept, given));
const read = async () => JSON.parse(await readFile(join(root, 'runs', run, 'plan.json'), 'utf8'));

describe('the plan of a run', () => {
  it('is written again by the run that is begun again', async () => {
    await write(plan);
    await write(structuredClone(plan));
    expect(await read()).toEqual(plan);
  });

  it('stays where another run would take its id', async () => {
    await write(plan);
    const other = { ...plan, recipe: { ...plan.recipe, seed: plan.recipe.seed + 1 } };
    expect(await rejection(write(other))).toMatchObject({
      type: 'ConfigInvalid',
      message: `id: expected one that no run or scoring has had, got "${run}", which has a plan`,
    });
    expect(await read()).toEqual(plan);
  });
});

describe('the plan of a scoring', () => {
  it('is its own with the recipe of a newer champion, and not where a run has had jobs', async () => {
    const newer = { ...plan, recipe: { ...plan.recipe, seed: plan.recipe.seed + 1 } };
    expect(await isOfScoring(root, newer, plan)).toBe(true);
    expect(await isOfScoring(root, { ...newer, owner: 'somebody' }, plan)).toBe(false);
    expect(await isOfScoring(root, newer, 'nonsense')).toBe(false);
    await mkdir(join(root, 'runs', run, 'jobs/predict-pairs'), { recursive: true });
    expect(await isOfScoring(root, newer, plan)).toBe(true);
    await mkdir(join(root, 'runs', run, 'jobs/sft'));
    expect(await isOfScoring(root, newer, plan)).toBe(false);
  });
});
