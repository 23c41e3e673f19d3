/** Experiment files: YAML → a checked experiment with the recipe of each run. All faults are told at once, those of arms with the arm's name. */
import { dirname, resolve } from 'node:path';
import { cut, describeFaults, shown } from '../domain/errors.ts';
import { armsOf, isMapping, withOverrides } from '../domain/experiment/arms.ts';
import {
  type ArmFacts,
  type ComparedMetric,
  type Experiment,
  experimentChars,
  isExperimentName,
  type Member,
  memberName,
  mostMembers,
} from '../domain/experiment/experiment.ts';
import { checkRecipe } from '../domain/recipe.ts';
import { countOf, experimentFileSchema, type Readable, readableOf } from './experiment-fields.ts';
import { InputFault, schemaFaults } from './input-fault.ts';
import { inFolder, overridden, readRecipeValue } from './recipe-file.ts';
import { readYamlFile } from './yaml-file.ts';

/** What the command line may say in place of the file. */
export interface ExperimentOverrides {
  dataset?: string | undefined;
  seeds?: number[] | undefined;
  atMost?: number | undefined;
}

/** Metrics that are not below zero by their nature. */
const neverNegative: ReadonlySet<ComparedMetric> = new Set(['rmse', 'readable', 'tokens_sampled', 'tokens_greedy']);

/** Throws an InputFault that names the file, or each field with its value, and what was expected: those of the file and those of each arm's recipe together. */
export async function readExperiment(path: string, given: ExperimentOverrides = {}): Promise<Experiment> {
  const what = `experiment "${cut(path)}"`;
  const value = await readYamlFile(path, { what: 'experiment', holds: 'name, question, recipe, baseline, arms, …' });
  const { data, error } = experimentFileSchema.safeParse(value, { reportInput: true });
  const written: Readable = { ...(data ?? readableOf(value)) };
  written.seeds = given.seeds ?? written.seeds;
  const tooMany = countOf(written) > mostMembers;
  const arms = armsOf(written.arms, tooMany ? {} : written.grid);
  const { members, faults } = await membersOf(written, arms, dirname(resolve(path)), given.dataset);
  const all = [
    ...(error === undefined ? [] : schemaFaults(error, 'experiment')),
    ...(tooMany ? [`experiment.arms: expected at most ${mostMembers} runs, got ${countOf(written)}`] : []),
    ...(tooMany || written.armsUnknown === true ? [] : faultsOf(written, arms)),
    ...faults,
  ];
  if (data === undefined || all.length > 0) throw new InputFault(describeFaults(what, all));
  const { name, question, baseline, directions } = data;
  const atMost = given.atMost ?? data.at_most;
  return { schema: 1, name, question, baseline, at_most: atMost, arms, seeds: written.seeds, members, directions };
}

/** What no field shows by itself. */
function faultsOf({ baseline, seeds, directions }: Readable, arms: readonly ArmFacts[]): string[] {
  const names = arms.map(({ name }) => name);
  const one = `one of the arms (${cut(names.join(', ') || 'there is none')})`;
  const unknown = (place: string, arm: string | undefined) =>
    arm === undefined || names.includes(arm) ? [] : [`experiment.${place}: expected ${one}, got ${shown(arm)}`];
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
    ...unknown('baseline', baseline),
    ...directions.flatMap(({ arm, than, metric, of }, index) => [
      ...vain(`experiment.directions.${index}.than`, { arm, than, metric, of }),
      ...unknown(`directions.${index}.arm`, arm),
      ...unknown(`directions.${index}.than`, than),
    ]),
  ];
}

/** Counts and distances are above zero whatever an arm does, and an arm is never better than itself: such a sentence says nothing. */
function vain(place: string, { arm, than, metric, of }: Readable['directions'][number]): string[] {
  if (arm === than) return [`${place}: expected another arm than ${shown(arm)} itself`];
  if (than !== undefined || of === 'gain' || !neverNegative.has(metric)) return [];
  return [`${place}: expected an arm, or "of: gain": ${metric} of one critic is always above zero, got nothing`];
}

/** The run of each arm and seed, and what is wrong with their recipes. */
async function membersOf(
  { name = 'e', recipe, set, seeds }: Readable,
  arms: readonly ArmFacts[],
  folder: string,
  dataset: string | undefined,
): Promise<{ members: Member[]; faults: string[] }> {
  if (recipe === undefined) return { members: [], faults: [] };
  const recipePath = resolve(folder, recipe);
  const value = await recipeAt(recipePath);
  if (value instanceof InputFault) return { members: [], faults: [value.message] };
  if (!isMapping(value)) return { members: [], faults: [`recipe: expected a mapping, got ${shown(value)}`] };
  const faults = new Map<string, Set<string>>();
  const members: Member[] = [];
  for (const seedOf of seeds) {
    for (const arm of arms) {
      const changed = withOverrides(value, { ...set, ...arm.set });
      const own = { ...overridden(isMapping(changed) ? changed : {}, { dataset, seed: seedOf }) };
      const checked = checkRecipe({ ...own, name: memberName(name, arm.name, seedOf, seeds.length) });
      const placed = 'recipe' in checked ? inFolder(checked.recipe, dirname(recipePath)) : checked;
      if ('recipe' in placed) members.push({ arm: arm.name, seed: seedOf, recipe: placed.recipe });
      // Another seed has the same faults.
      else for (const fault of placed.faults) faults.set(fault, (faults.get(fault) ?? new Set()).add(arm.name));
    }
  }
  const clusters = [...new Set(members.map(({ recipe: { cluster } }) => cluster ?? 'the one without a name'))];
  return {
    members,
    faults: [
      ...[...faults].flatMap(([fault, of]) =>
        of.size === arms.length ? [`all arms: ${fault}`] : [...of].map((arm) => `arm ${arm}: ${fault}`),
      ),
      ...(clusters.length > 1 ? [`recipe.cluster: expected one cluster for all arms, got ${clusters.join(', ')}`] : []),
    ],
  };
}

/** What the recipe's file says, or what is wrong with the file. */
async function recipeAt(path: string): Promise<unknown> {
  try {
    return await readRecipeValue(path);
  } catch (error) {
    if (error instanceof InputFault) return error;
    throw error;
  }
}
