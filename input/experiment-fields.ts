/** The fields of an experiment file, and what can be read of one that has faults. */
import * as z from 'zod';
import { isMapping, type NamedOverrides, type Overrides } from '../domain/experiment/arms.ts';
import { comparedMetrics, experimentChars, isExperimentName, quantityOfs } from '../domain/experiment/experiment.ts';
import { somePath } from '../domain/recipe/fields.ts';

const aName = z
  .string()
  .refine(isExperimentName, `expected 1 to ${experimentChars} of letters, digits, ".", "_" and "-", no leading dot`);
const field = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*$/, 'expected a field of the recipe, such as grpo.reward.shape');
const overrides = z.record(field, z.unknown());
const named = z.record(aName, overrides);
const seed = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

const direction = z.strictObject({
  says: z.string().trim().min(1).max(300).describe('The sentence, as people read it; required.'),
  source: z.string().trim().min(1).max(200).exactOptional().describe('Where it stands; optional.'),
  metric: z
    .enum(comparedMetrics)
    .describe('The metric that it speaks of, such as main_score or tokens_sampled; required.'),
  of: z
    .enum(quantityOfs)
    .default('grpo')
    .describe('Of which critic: grpo, sft, or gain, what GRPO adds to the model it began with; default grpo.'),
  arm: aName.describe('The arm that it speaks of; required.'),
  is: z.enum(['higher', 'lower']).describe('What it says: higher or lower; required.'),
  than: aName
    .exactOptional()
    .describe('Than that of this arm. Optional, else than zero, which only a gain or a correlation can be.'),
});

/** An experiment file as it is written. */
export const experimentFileSchema = z.strictObject({
  name: aName.describe('Names the experiment, and its runs. At most 24 characters; required.'),
  question: z.string().trim().min(1).max(300).describe('What it asks, in one sentence; required.'),
  recipe: somePath.describe('The recipe from which all arms are made. A path, relative to this file; required.'),
  baseline: aName.describe('The arm that the others are compared with; required.'),
  seeds: z.array(seed).min(1).max(20).default([1]).describe('Each arm has a run for each seed. Default [1].'),
  at_most: z.int().min(1).max(64).default(2).describe('Runs under way at once. Whole number, 1 to 64; default 2.'),
  set: overrides.default({}).describe('Fields of the recipe, with dots between, that all arms have; default none.'),
  arms: named.default({}).describe('Arms by name: fields of the recipe, with dots between, and their values.'),
  grid: z
    .record(aName, named)
    .default({})
    .describe('Axes by name, each with named overrides: every combination is an arm, called after its values.'),
  directions: z
    .array(direction)
    .max(40)
    .default([])
    .describe('What is expected, each a sentence that the report judges by its interval; default none.'),
});
type Written = z.output<typeof experimentFileSchema>;

/** What can be read of a file: all of it if it has no faults, else the fields that are right, so that the rest can be checked too. */
export interface Readable extends Pick<Written, 'set' | 'arms' | 'grid' | 'seeds'> {
  name?: string;
  recipe?: string;
  baseline?: string;
  directions: Pick<Written['directions'][number], 'arm' | 'than' | 'metric' | 'of'>[];
  /** Not all names of arms can be read. */
  armsUnknown?: boolean;
}

/** Of a file with faults. Never throws. */
export function readableOf(value: unknown): Readable {
  const given = isMapping(value) ? value : {};
  const { shape } = experimentFileSchema;
  const { data: name } = shape.name.safeParse(given['name']);
  const { data: recipe } = shape.recipe.safeParse(given['recipe']);
  const { data: baseline } = shape.baseline.safeParse(given['baseline']);
  const arms = given['arms'] ?? {};
  const grid = given['grid'] ?? {};
  const isNamed = (all: unknown) => isMapping(all) && Object.keys(all).every((one) => aName.safeParse(one).success);
  const isKnown = isNamed(arms) && isNamed(grid) && isMapping(grid) && Object.values(grid).every(isNamed);
  return {
    ...(name === undefined ? {} : { name }),
    ...(recipe === undefined ? {} : { recipe }),
    ...(baseline === undefined ? {} : { baseline }),
    seeds: shape.seeds.safeParse(given['seeds']).data ?? [1],
    set: readableOverrides(given['set']),
    arms: eachOf(arms, readableOverrides),
    grid: eachOf(grid, (axis): NamedOverrides => eachOf(axis, readableOverrides)),
    directions: shape.directions.safeParse(given['directions']).data ?? [],
    armsUnknown: !isKnown,
  };
}

/** Runs that a file asks for. */
export function countOf({ arms, grid, seeds }: Readable): number {
  const axes = Object.values(grid).map((axis) => Object.keys(axis).length);
  const combined = axes.length === 0 ? 0 : axes.reduce((all, one) => all * one, 1);
  return (Object.keys(arms).length + combined) * seeds.length;
}

function readableOverrides(value: unknown): Overrides {
  return isMapping(value)
    ? Object.fromEntries(Object.entries(value).filter(([key]) => field.safeParse(key).success))
    : {};
}

/** Those whose names are right. */
function eachOf<T>(value: unknown, read: (one: unknown) => T): Record<string, T> {
  const all = isMapping(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    all.filter(([name]) => aName.safeParse(name).success).map(([name, one]) => [name, read(one)]),
  );
}
