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
  const given = typeof value === 'object' && value !== null ? overridden(value, overrides) : value;
  const checked = checkRecipe(given);
  if ('faults' in checked) throw new CliError(describeFaults(`recipe "${path}"`, checked.faults));
  const base = dirname(resolve(path));
  const { dataset, base_model: baseModel } = checked.recipe;
  return {
    ...checked.recipe,
    dataset: { ...dataset, path: folder('dataset', resolve(base, dataset.path)) },
    base_model: folder('base_model', resolve(base, baseModel)),
  };
}

function folder(field: string, path: string): string {
  if (existsSync(path) && statSync(path).isDirectory()) return path;
  throw new CliError(`recipe.${field}: expected an existing folder, got "${path}"`);
}

/** The recipe's value with another dataset folder or seed; how the dataset is to be read stays the recipe's word. */
function overridden(value: object, { dataset, seed }: RecipeOverrides): Record<string, unknown> {
  const given: Record<string, unknown> = { ...value };
  const own = given['dataset'];
  if (dataset !== undefined) {
    given['dataset'] = { ...(typeof own === 'object' && own !== null ? own : {}), path: dataset };
  }
  if (seed !== undefined) given['seed'] = seed;
  return given;
}
