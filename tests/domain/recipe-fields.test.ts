/** Every field of a recipe says in one line what it is, its unit, its bounds, and its default or that it is required. */
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { recipeSchema } from '../../domain/recipe.ts';

/** A node of the JSON Schema, as far as it is looked at. */
const nodeSchema = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  additionalProperties: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
});
type Node = z.output<typeof nodeSchema>;

interface Field {
  path: string;
  node: Node;
  isRequired: boolean;
}

const root = nodeSchema.parse(z.toJSONSchema(recipeSchema, { io: 'input' }));

/** All fields below a node; those of the failure policy stand once for all its classes, as `*`. */
function fieldsOf(either: Node, path: string): Field[] {
  // A section that may also be a word, such as `none`.
  const node = (either.anyOf ?? []).map((one) => nodeSchema.parse(one)).find(({ properties }) => properties) ?? either;
  return Object.entries(node.properties ?? {}).flatMap(([key, value]) => {
    const child = nodeSchema.parse(value);
    const here = path === '' ? key : `${path}.${key}`;
    const classes = nodeSchema.safeParse(child.additionalProperties);
    const isRequired = child.default === undefined && (node.required ?? []).includes(key);
    return [
      { path: here, node: child, isRequired },
      ...fieldsOf(child, here),
      ...(classes.success ? fieldsOf(classes.data, `${here}.*`) : []),
    ];
  });
}

/** What a description must end with. */
function ending({ node, isRequired }: Field): RegExp {
  if (isRequired) return /; required\.$/;
  const value = node.default;
  if (value === undefined) return /; optional(?:, else [^;]+)?\.$/;
  if (typeof value !== 'object') return new RegExp(`; default ${plain(value)}(?:, [^;]+)?\\.$`);
  return node.properties === undefined ? /; default none\.$/ : /; default as its fields say\.$/;
}

function plain(value: unknown): string {
  return JSON.stringify(value).replaceAll('"', '');
}

/** How the bounds of a number are said; undefined for what is no number. */
function bounds(node: Node): string | undefined {
  const number = node.anyOf === undefined ? node : nodeSchema.parse(node.anyOf[0]);
  if (number.type !== 'integer' && number.type !== 'number') return undefined;
  const { minimum, exclusiveMinimum: above, maximum } = number;
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (above !== undefined && number.type === 'number') return `above ${above}, at most ${most}`;
  const least = minimum ?? (above === undefined ? undefined : above + 1);
  return most === undefined ? `at least ${least}` : `${least} to ${most}`;
}

function faultsOf(field: Field): string[] {
  const { path, node } = field;
  const text = (node.description ?? '').replaceAll(/(\d),(?=\d{3})/g, '$1');
  if (text === '') return [`${path}: no description`];
  const faults: string[] = [];
  if (!ending(field).test(text)) faults.push(`${path}: expected an end like ${String(ending(field))}, got "${text}"`);
  const range = bounds(node);
  if (range !== undefined && !text.includes(` ${range}`)) faults.push(`${path}: expected "${range}", got "${text}"`);
  for (const choice of node.enum ?? []) {
    if (!text.includes(String(choice))) faults.push(`${path}: expected the choice ${String(choice)}, got "${text}"`);
  }
  if (text.includes('\n') || text.length > 200) faults.push(`${path}: longer than one line of 200 characters`);
  return faults;
}

describe('the fields of a recipe', () => {
  it('say what they are, with bounds and default as the schema has them', () => {
    const fields = fieldsOf(root, '');
    expect(fields.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'seed',
        'dataset.form',
        'sft.resources.cpus',
        'grpo.reward.floor',
        'retries.policy.*.resume',
      ]),
    );
    expect(fields.flatMap(faultsOf)).toEqual([]);
  });

  it.each<[string, z.ZodType, string]>([
    ['no description', z.number(), 'no description'],
    ['another default', z.int().min(1).default(2).describe('X. Rows, at least 1; default 3.'), 'expected an end'],
    ['other bounds', z.int().min(1).max(5).describe('X. Rows, 1 to 6; required.'), 'expected "1 to 5"'],
    ['a choice left out', z.enum(['a', 'b']).describe('X: one a; required.'), 'expected the choice b'],
    ['required and not so', z.string().optional().describe('X; required.'), 'expected an end'],
  ])('are refused with %s', (_what, schema, fault) => {
    const fields = fieldsOf(nodeSchema.parse(z.toJSONSchema(z.strictObject({ field: schema }), { io: 'input' })), '');
    expect(fields.flatMap(faultsOf)).toEqual([expect.stringContaining(fault)]);
  });
});
