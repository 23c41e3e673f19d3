import { expect, it } from 'vitest';
import { checkRecipes } from '../engines/recipe-check.ts';

const python = process.env['EASYR1_PYTHON'] ?? 'none';

it.each(['the current generation', "the authors' generation"])(
  '%s takes every setting of the recipes that use EasyR1, and not a wrong one',
  async () => {
    const recipes = ['paper', 'paper-2-nodes'];
    expect(await checkRecipes('easyr1', python)).toEqual({ recipes, faults: [] });
    const key = 'worker.rollout.top_pp';
    expect(await checkRecipes('easyr1', python, { [key]: 1 })).toEqual({ recipes, faults: [`grpo.easyr1.${key}`] });
  },
);
