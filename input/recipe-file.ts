/** Recipe files: YAML → a checked recipe with absolute paths. All faults are told at once, each with field, value and expectation. */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { cut, describeFaults } from '../domain/errors.ts';
import { checkRecipe, type Recipe } from '../domain/recipe.ts';
import { InputFault } from './input-fault.ts';
import { readYamlFile } from './yaml-file.ts';

export interface RecipeOverrides {
  dataset?: string | undefined;
  seed?: number | undefined;
}

/** Throws an InputFault that names the file, or each field with its value, and what was expected. */
export async function readRecipe(path: string, overrides: RecipeOverrides = {}): Promise<Recipe> {
  const value = await readRecipeValue(path);
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  const given = isMapping ? overridden(value, overrides) : value;
  const checked = checkRecipe(given);
  const placed = 'recipe' in checked ? inFolder(checked.recipe, dirname(resolve(path))) : checked;
  if ('recipe' in placed) return placed.recipe;
  throw new InputFault(describeFaults(`recipe "${cut(path)}"`, placed.faults));
}

/** What the file says, not checked. Throws an InputFault that names the file if it is no YAML. */
export async function readRecipeValue(path: string): Promise<unknown> {
  return readYamlFile(path, { what: 'recipe', holds: 'name, seed, dataset, …' });
}

/** The recipe with absolute paths, or which of its folders is not there; `base` is the folder of its file. */
export function inFolder(recipe: Recipe, base: string): { recipe: Recipe } | { faults: string[] } {
  const dataset = resolve(base, recipe.dataset.path);
  const model = resolve(base, recipe.base_model);
  const faults = [...missing('dataset', dataset), ...missing('base_model', model)];
  if (faults.length > 0) return { faults };
  return { recipe: { ...recipe, dataset: { ...recipe.dataset, path: dataset }, base_model: model } };
}

function missing(field: string, path: string): string[] {
  if (existsSync(path) && statSync(path).isDirectory()) return [];
  return [`recipe.${field}: expected an existing folder, got "${cut(path)}"`];
}

/** The recipe's value with another dataset folder or seed. How the dataset is read stays as the recipe says. */
export function overridden(value: object, { dataset, seed }: RecipeOverrides): Record<string, unknown> {
  const given: Record<string, unknown> = { ...value };
  const own = given['dataset'];
  if (dataset !== undefined) {
    given['dataset'] = { ...(typeof own === 'object' && own !== null ? own : {}), path: resolve(dataset) };
  }
  if (seed !== undefined) given['seed'] = seed;
  return given;
}
