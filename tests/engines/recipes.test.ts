import { expect, it } from 'vitest';
import { checkRecipes } from './recipe-check.ts';

const python = process.env['VERL_PYTHON'] ?? 'none';

it('verl takes every setting of the recipes that use it, and not a wrong one', async () => {
  expect(await checkRecipes('verl', python)).toEqual({ recipes: ['paper-verl'], faults: [] });
  const key = 'actor_rollout_ref.actor.entropy_coef';
  expect(await checkRecipes('verl', python, { [key]: 0.1 })).toMatchObject({ faults: [`grpo.verl.${key}`] });
});
