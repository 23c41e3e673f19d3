/**
 * Packing: an experiment as it travels into its workflow. 64 whole recipes are some 140 KB; they differ in a few fields, so one of them travels whole, and of the
 * others what differs. Pure, and used by the workflow: what is unpacked is what was packed, field by field.
 */
import type { Recipe } from '../recipe.ts';
import { isMapping } from './arms.ts';
import type { Experiment, Member } from './experiment.ts';

/** A field that differs: its place, and its value; without a value it is not there. */
type Change = [place: string[], value?: unknown];

interface PackedMember extends Omit<Member, 'recipe'> {
  /** What differs from `recipe` of the experiment. */
  changes: Change[];
}

export interface PackedExperiment extends Omit<Experiment, 'members'> {
  recipe: Recipe;
  members: PackedMember[];
}

/** Throws for an experiment without members: a bug. */
export function packed({ members, ...experiment }: Experiment): PackedExperiment {
  const recipe = mostAlike(members.map((member) => member.recipe));
  return {
    ...experiment,
    recipe,
    members: members.map(({ recipe: own, ...member }) => ({ ...member, changes: changesOf(recipe, own) })),
  };
}

/** An experiment of an earlier release came whole. */
export function unpacked(given: Experiment | PackedExperiment): Experiment {
  if (!('recipe' in given)) return given;
  const { recipe, members, ...experiment } = given;
  return {
    ...experiment,
    // It is what `packed` was given: a recipe.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    members: members.map(({ changes, ...member }) => ({ ...member, recipe: changed(recipe, changes) as Recipe })),
  };
}

/** The recipe from which all others differ least. */
function mostAlike(recipes: readonly Recipe[]): Recipe {
  const sized = recipes.map((recipe) => {
    const size = recipes.reduce((sum, other) => sum + JSON.stringify(changesOf(recipe, other)).length, 0);
    return { recipe, size };
  });
  const [first] = sized.toSorted((a, b) => a.size - b.size);
  if (first === undefined) throw new Error('an experiment without members was packed');
  return first.recipe;
}

/** What makes `to` of `from`. Lists count as one value. */
function changesOf(from: unknown, to: unknown, place: string[] = []): Change[] {
  if (!isMapping(from) || !isMapping(to)) {
    return JSON.stringify(from) === JSON.stringify(to) ? [] : [[place, to]];
  }
  const gone = Object.keys(from).filter((name) => !Object.hasOwn(to, name) || to[name] === undefined);
  return [
    ...gone.flatMap((name): Change[] => (from[name] === undefined ? [] : [[[...place, name]]])),
    ...Object.entries(to).flatMap(([name, value]): Change[] => {
      if (value === undefined) return [];
      if (!Object.hasOwn(from, name)) return [[[...place, name], value]];
      return changesOf(from[name], value, [...place, name]);
    }),
  ];
}

function changed(value: unknown, changes: readonly Change[]): unknown {
  return changes.reduce((all, [place, ...to]) => withChange(all, place, to), value);
}

/** `to`: the value, or nothing. */
function withChange(value: unknown, [name, ...rest]: readonly string[], to: readonly unknown[]): unknown {
  if (name === undefined) return to[0];
  const fields = isMapping(value) ? value : {};
  const others = Object.entries(fields).filter(([key]) => key !== name);
  if (rest.length === 0 && to.length === 0) return Object.fromEntries(others);
  const own = withChange(fields[name], rest, to);
  return Object.hasOwn(fields, name) ? { ...fields, [name]: own } : Object.fromEntries([...others, [name, own]]);
}
