/**
 * The reference of what people write, made from the schemas that check it: `npm run docs:recipe` writes docs/RECIPE.md and a JSON Schema for editors of
 * recipes, night files, experiment files, mapping files and channels files. tests/architecture/reference.test.ts holds that they are as this makes them.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { recipeSchema } from '../../domain/recipe.ts';
import { channelsFileSchema } from '../../input/channels-file.ts';
import { experimentFileSchema } from '../../input/experiment-fields.ts';
import { mappingFileSchema } from '../../input/mapping-file.ts';
import { nightFileSchema } from '../../input/night-file.ts';

/** A node of a JSON Schema, as far as the page shows it. */
interface Node {
  description?: string;
  default?: unknown;
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
  anyOf?: Node[];
}

const nodeSchema = z.looseObject({ description: z.string() });

const head = `# The recipe

<!-- Made by \`npm run docs:recipe\` from domain/recipe.ts. Do not edit: a test compares. -->

What a recipe may hold. Paths are relative to the recipe. A field that is not here is refused, and so is a value outside its bounds: all faults are told
at once, each with the field, the value and what was expected. Further rules that no field shows by itself are in [domain/recipe.ts](../domain/recipe.ts). Recipes to begin
with are in [recipes/](../recipes/).

An editor that knows YAML's language server completes and checks a recipe that begins with

\`\`\`yaml
# yaml-language-server: $schema=../docs/recipe.schema.json
\`\`\`

Night files have [night.schema.json](night.schema.json), experiment files [experiment.schema.json](experiment.schema.json), channels files [channels.schema.json](channels.schema.json),
mapping files of \`critic evaluate\` [mapping.schema.json](mapping.schema.json).
`;

/** Path of each file below the repository → its text. */
export function referenceFiles(): Record<string, string> {
  return {
    'docs/RECIPE.md': recipePage(),
    'docs/recipe.schema.json': schemaText(recipeSchema, 'A recipe of critic', ['dataset']),
    'docs/night.schema.json': schemaText(nightFileSchema, 'A night file of critic'),
    'docs/experiment.schema.json': schemaText(experimentFileSchema, 'An experiment file of critic'),
    'docs/mapping.schema.json': schemaText(mappingFileSchema, 'A mapping file of critic'),
    'docs/channels.schema.json': schemaText(channelsFileSchema, 'A channels file of critic'),
  };
}

/** `shorthands`: fields that may be a text in place of an object. zod does not tell what its `preprocess` takes. */
function schemaText(schema: z.ZodType, title: string, shorthands: readonly string[] = []): string {
  const { $schema, properties = {}, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  for (const name of shorthands) {
    const { description, ...node } = nodeSchema.parse(properties[name]);
    properties[name] = { description, anyOf: [{ type: 'string', minLength: 1 }, node] };
  }
  return `${JSON.stringify({ $schema, title, ...rest, properties }, null, 2)}\n`;
}

function recipePage(): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- zod's type of a node allows more than a recipe has
  const root = z.toJSONSchema(recipeSchema, { io: 'input' }) as Node;
  const all = Object.entries(root.properties ?? {});
  const plain = all.filter(([, node]) => rowsOf('', node).length === 0);
  const sections = all.filter(([, node]) => rowsOf('', node).length > 0);
  const parts = [
    table(plain.map(([name, node]) => row(name, node))),
    ...sections.map(([name, node]) =>
      [`## ${name}`, ...(node.description === undefined ? [] : [node.description]), table(rowsOf('', node))].join(
        '\n\n',
      ),
    ),
  ];
  return `${head}\n${parts.join('\n\n')}\n`;
}

function table(rows: readonly string[]): string {
  return ['| field | meaning |', '| --- | --- |', ...rows].join('\n');
}

/** One row a field, those below it after it. Of a record with free names the name is \`*\`. */
function rowsOf(prefix: string, either: Node): string[] {
  // A section that may also be a word, such as `none`.
  const node = either.anyOf?.find(({ properties }) => properties !== undefined) ?? either;
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]) => [
    row(`${prefix}${name}`, child),
    ...rowsOf(`${prefix}${name}.`, child),
  ]);
  const free = node.additionalProperties;
  return typeof free === 'object' ? [...own, ...rowsOf(`${prefix}*.`, free)] : own;
}

function row(name: string, { description = '' }: Node): string {
  return `| \`${name}\` | ${description.replaceAll('|', '\\|')} |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(referenceFiles())) {
    writeFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), text);
  }
}
