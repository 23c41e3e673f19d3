/** The recipe's reference page and the JSON Schemas for editors are as the schemas make them, and the examples fit them. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runStatuses, searchAttributes } from '../../domain/names.ts';
import { referenceFiles } from '../../docs/reference/make.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = referenceFiles();
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

/** Faults of a YAML text by the JSON Schema of this file. */
function faultsOf(schema: string, text: string): string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ajv checks it
  const validate = ajv.compile(JSON.parse(read(schema)) as object);
  return validate(parse(text)) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

describe('the reference', () => {
  it.each(Object.keys(files))('%s is as "npm run docs:recipe" writes it', (path) => {
    expect(read(path)).toBe(files[path]);
  });

  it('has every field of a recipe with its sentence', () => {
    const page = files['docs/RECIPE.md'];
    expect(page).toMatch(/^\| `seed` \| Seed of everything .* required\. \|$/m);
    expect(page).toMatch(/^## grpo$/m);
    expect(page).toMatch(/^\| `reward\.floor` \| .* default 0\.05\. \|$/m);
    expect(page).toMatch(/^\| `resources\.partition` \| /m);
    expect(page).not.toMatch(/^\| `[^`]+` \| +\|$/m);
  });

  it.each([
    ...readdirSync(`${root}recipes`).map((name) => ['recipe', `recipes/${name}`] as const),
    ...readdirSync(`${root}nights`).map((name) => ['night', `nights/${name}`] as const),
    ...readdirSync(`${root}experiments`, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => ['experiment', `experiments/${name}`] as const),
  ])('the schema of a %s takes %s', (kind, path) => {
    expect(faultsOf(`docs/${kind}.schema.json`, read(path))).toEqual([]);
  });

  it('the schemas refuse unknown fields and values out of bounds', () => {
    const smoke = read('recipes/smoke.yaml');
    expect(faultsOf('docs/recipe.schema.json', `${smoke}\nsteps: 3\n`)).toHaveLength(1);
    expect(faultsOf('docs/recipe.schema.json', smoke.replace('seed: 1', 'seed: -1'))).toHaveLength(1);
    expect(faultsOf('docs/night.schema.json', `${read('nights/smoke.yaml')}\nowner_name: x\n`)).toHaveLength(1);
    expect(faultsOf('docs/channels.schema.json', 'channels: { a: { file: { path: rel } } }')).not.toEqual([]);
    expect(faultsOf('docs/channels.schema.json', 'channels: { a: { file: { path: /x } } }')).toEqual([]);
  });
});

describe('the saved filters in docs/TEMPORAL-UI.md', () => {
  const queries = [...read('docs/TEMPORAL-UI.md').matchAll(/^\| [^|]+ \| `([^`]+)` \|$/gm)].map(
    ([, query = '']) => query,
  );
  const known = [...Object.keys(searchAttributes), 'WorkflowType', 'ExecutionStatus'];

  it('are ten', () => expect(queries).toHaveLength(10));

  it.each(queries)('%s names search attributes and statuses that there are', (query) => {
    const names = query.match(/\b[A-Z]\w+(?= (?:=|<|>|IN)[ (])/g) ?? [];
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
    const statuses = [...query.matchAll(/CriticStatus = "([^"]+)"/g)].map(([, status = '']) => status);
    expect(statuses.filter((status) => !runStatuses.some((one) => one === status))).toEqual([]);
  });
});
