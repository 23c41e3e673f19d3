/** Recipe files: YAML → a checked recipe with absolute paths. All faults at once, each naming field, value, expectation. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { describeFaults } from '../domain/errors.ts';
import { checkRecipe, type Recipe } from '../domain/recipe.ts';
import { CliError } from './config.ts';

export interface RecipeOverrides {
  dataset?: string | undefined;
  seed?: number | undefined;
}

export function readRecipe(path: string, overrides: RecipeOverrides = {}): Recipe {
  if (!existsSync(path)) throw new CliError(`recipe: expected a YAML file, got "${path}", which does not exist`);
  const document = parseDocument(readFileSync(path, 'utf8'), { prettyErrors: true });
  const [syntax] = document.errors;
  if (syntax !== undefined) throw new CliError(`recipe "${path}" is not YAML: ${syntax.message}`);
  const value: unknown = document.toJS();
  const given = typeof value === 'object' && value !== null ? { ...value, ...defined(overrides) } : value;
  const checked = checkRecipe(given);
  if ('faults' in checked) throw new CliError(describeFaults(`recipe "${path}"`, checked.faults));
  const base = dirname(resolve(path));
  const recipe = { ...checked.recipe };
  for (const field of ['dataset', 'base_model'] as const) {
    recipe[field] = resolve(base, recipe[field]);
    if (!existsSync(recipe[field]) || !statSync(recipe[field]).isDirectory()) {
      throw new CliError(`recipe.${field}: expected an existing folder, got "${recipe[field]}"`);
    }
  }
  return recipe;
}

function defined(overrides: RecipeOverrides): Record<string, unknown> {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
}
