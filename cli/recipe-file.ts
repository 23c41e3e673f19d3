/**
 * Recipe files: YAML → a checked recipe with absolute paths. All faults are told at once, each with field, value and expectation. Anything that
 * is no YAML file of usual size is refused before it is parsed: a pipe, a device, a folder, fifty megabytes, a bomb.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isScalar, parseDocument, visit } from 'yaml';
import { cut, describeFaults, shown } from '../domain/errors.ts';
import { checkRecipe, type Recipe } from '../domain/recipe.ts';
import { FileFault, readRegularText } from '../files/regular-file.ts';
import { CliError } from './cli-error.ts';

/** Twenty times the longest recipe we know. It is parsed in a moment, whatever is in it. */
const maxRecipeBytes = 64 * 1024;
/** A recipe has 5 levels (`retries.policy.<class>.<rule>`). With this limit nothing that walks a value runs out of stack. */
const maxDepth = 16;
/** How often anchors may be used, uses within anchors included (the YAML library's own default). */
const maxAliasCount = 100;

export interface RecipeOverrides {
  dataset?: string | undefined;
  seed?: number | undefined;
}

/** Throws a CliError that names the file, or each field with its value, and what was expected. */
export async function readRecipe(path: string, overrides: RecipeOverrides = {}): Promise<Recipe> {
  const value = parseYaml(path, await readText(path));
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  const given = isMapping ? overridden(value, overrides) : value;
  const checked = checkRecipe(given);
  if ('faults' in checked) throw new CliError(describeFaults(`recipe "${cut(path)}"`, checked.faults));
  const base = dirname(resolve(path));
  const { dataset, base_model: baseModel } = checked.recipe;
  return {
    ...checked.recipe,
    dataset: { ...dataset, path: folder('dataset', resolve(base, dataset.path)) },
    base_model: folder('base_model', resolve(base, baseModel)),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readRegularText(path, maxRecipeBytes);
  } catch (error) {
    if (error instanceof FileFault) throw fault(path, error.expected, error.got);
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw fault(path, 'a readable YAML file', error.code === 'ENOENT' ? 'no such file' : String(error.code));
  }
}

function parseYaml(path: string, text: string): unknown {
  // Repeated keys are looked for below, since the library compares each key with each other.
  const document = parseDocument(text, { stringKeys: true, logLevel: 'error', uniqueKeys: false });
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong?.code === 'MULTIPLE_DOCS') throw fault(path, 'one YAML document', 'several ("---" begins another)');
  if (wrong?.code === 'RESOURCE_EXHAUSTION') throw tooDeep(path);
  // The library's first line has the reason and the place. The lines after it quote the text.
  if (wrong !== undefined)
    throw fault(path, 'YAML', `text that is not YAML: ${wrong.message.split('\n')[0]?.replace(/:$/, '')}`);
  const repeated = findRepeatedKey(document);
  if (repeated !== undefined) throw fault(path, 'each key once in its mapping', `${shown(repeated)} again`);
  if (document.contents === null) throw fault(path, 'a YAML mapping of name, seed, dataset, …', 'an empty file');
  try {
    const value: unknown = document.toJS({ maxAliasCount });
    if (isDeeper(value, maxDepth)) throw tooDeep(path);
    return value;
  } catch (error) {
    // This is how the library says that an alias has no anchor, or that there are too many.
    if (!(error instanceof ReferenceError)) throw error;
    throw fault(path, `YAML with at most ${maxAliasCount} aliases, each of an anchor before it`, error.message);
  }
}

function findRepeatedKey(document: Document): string | undefined {
  let repeated: string | undefined;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) repeated ??= String(name);
        seen.add(name);
      }
    },
  });
  return repeated;
}

function tooDeep(path: string): CliError {
  return fault(path, `YAML of at most ${maxDepth} levels`, 'more');
}

/** Is there anything below level `depth`? True too for a value that holds itself. */
function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}

function fault(path: string, expected: string, got: string): CliError {
  return new CliError(`recipe "${cut(path)}": expected ${expected}, got ${cut(got)}`);
}

function folder(field: string, path: string): string {
  if (existsSync(path) && statSync(path).isDirectory()) return path;
  throw new CliError(`recipe.${field}: expected an existing folder, got "${cut(path)}"`);
}
/** The recipe's value with another dataset folder or seed. How the dataset is read stays as the recipe says. */
function overridden(value: object, { dataset, seed }: RecipeOverrides): Record<string, unknown> {
  const given: Record<string, unknown> = { ...value };
  const own = given['dataset'];
  if (dataset !== undefined) {
    given['dataset'] = { ...(typeof own === 'object' && own !== null ? own : {}), path: resolve(dataset) };
  }
  if (seed !== undefined) given['seed'] = seed;
  return given;
}
