/** Experiment files: YAML → a checked experiment with the recipe of each run. All faults are told at once, those of arms with the arm's name. */
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { cut, describeFaults, shown } from '../domain/errors.ts';
import { armsOf, isMapping, withOverrides } from '../domain/experiment/arms.ts';
import {
  type ArmFacts,
  comparedMetrics,
  type Experiment,
  experimentChars,
  isExperimentName,
  type Member,
  memberName,
  mostMembers,
  quantityOfs,
} from '../domain/experiment/experiment.ts';
import { checkRecipe } from '../domain/recipe.ts';
import { somePath } from '../domain/recipe/fields.ts';
import { InputFault, schemaFault } from './input-fault.ts';
import { inFolder, overridden, readRecipeValue } from './recipe-file.ts';
import { readYamlFile } from './yaml-file.ts';

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
  than: aName.exactOptional().describe('Than that of this arm; optional, else than zero.'),
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

/** What the command line may say in place of the file. */
export interface ExperimentOverrides {
  dataset?: string | undefined;
  seeds?: number[] | undefined;
  atMost?: number | undefined;
}

/** Throws an InputFault that names the file, or each field with its value, and what was expected. */
export async function readExperiment(path: string, given: ExperimentOverrides = {}): Promise<Experiment> {
  const what = `experiment "${cut(path)}"`;
  const value = await readYamlFile(path, { what: 'experiment', holds: 'name, question, recipe, baseline, arms, …' });
  const { data, error } = experimentFileSchema.safeParse(value, { reportInput: true });
  if (data === undefined) throw schemaFault(what, error, 'experiment');
  const written = { ...data, seeds: given.seeds ?? data.seeds, at_most: given.atMost ?? data.at_most };
  const arms = armsOf(written.arms, written.grid);
  const faults = faultsOf(written, arms);
  if (faults.length > 0) throw new InputFault(describeFaults(what, faults));
  const recipePath = resolve(dirname(resolve(path)), written.recipe);
  const members = await membersOf(what, written, arms, recipePath, given.dataset);
  const { name, question, baseline, seeds, at_most, directions } = written;
  return { schema: 1, name, question, baseline, at_most, arms, seeds, members, directions };
}

/** What no field shows by itself. */
function faultsOf({ baseline, seeds, directions }: Written, arms: readonly ArmFacts[]): string[] {
  const names = arms.map(({ name }) => name);
  const one = `one of the arms (${cut(names.join(', ') || 'there is none')})`;
  const unknown = (place: string, arm: string | undefined) =>
    arm === undefined || names.includes(arm) ? [] : [`experiment.${place}: expected ${one}, got ${shown(arm)}`];
  const count = arms.length * seeds.length;
  const twice = names.find((name, index) => names.indexOf(name) < index);
  const seedTwice = seeds.find((one_, index) => seeds.indexOf(one_) < index);
  const long = names.filter((name) => !isExperimentName(name));
  return [
    ...(names.length < 2 ? [`experiment.arms: expected at least two arms, got ${names.length}`] : []),
    ...(twice === undefined ? [] : [`experiment.arms: expected each arm once, got ${shown(twice)} again`]),
    ...(seedTwice === undefined ? [] : [`experiment.seeds: expected each seed once, got ${seedTwice} again`]),
    ...long.map(
      (name) => `experiment.grid: expected names of at most ${experimentChars} characters, got ${shown(name)}`,
    ),
    ...(count > mostMembers ? [`experiment.arms: expected at most ${mostMembers} runs, got ${count}`] : []),
    ...unknown('baseline', baseline),
    ...directions.flatMap(({ arm, than }, index) => [
      ...unknown(`directions.${index}.arm`, arm),
      ...unknown(`directions.${index}.than`, than),
    ]),
  ];
}

async function membersOf(
  what: string,
  { name, set, seeds }: Written,
  arms: readonly ArmFacts[],
  recipePath: string,
  dataset: string | undefined,
): Promise<Member[]> {
  const value = await readRecipeValue(recipePath);
  if (!isMapping(value)) throw new InputFault(`${what}: recipe: expected a mapping, got ${shown(value)}`);
  const faults: string[] = [];
  const members: Member[] = [];
  for (const seedOf of seeds) {
    for (const arm of arms) {
      const changed = withOverrides(value, { ...set, ...arm.set });
      const own = { ...overridden(isMapping(changed) ? changed : {}, { dataset, seed: seedOf }) };
      const checked = checkRecipe({ ...own, name: memberName(name, arm.name, seedOf, seeds.length) });
      if ('recipe' in checked) {
        members.push({ arm: arm.name, seed: seedOf, recipe: inFolder(checked.recipe, dirname(recipePath)) });
      } else faults.push(...checked.faults.map((fault) => `arm ${arm.name}: ${fault}`));
    }
  }
  const clusters = [...new Set(members.map(({ recipe }) => recipe.cluster ?? 'the one without a name'))];
  if (clusters.length > 1) faults.push(`recipe.cluster: expected one cluster for all arms, got ${clusters.join(', ')}`);
  // Another seed has the same faults.
  if (faults.length > 0) throw new InputFault(describeFaults(what, [...new Set(faults)]));
  return members;
}
