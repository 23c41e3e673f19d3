/** Arms: the named overrides of an experiment and its grid, as a list of arms; and a recipe with overrides. Pure. */
import type { ArmFacts } from './experiment.ts';

/** Dotted fields of a recipe with their values. */
export type Overrides = Readonly<Record<string, unknown>>;
/** Arms by their names. */
export type NamedOverrides = Readonly<Record<string, Overrides>>;

/**
 * The arms that are named one by one, then all combinations of the grid's axes. A combination is called after its values, with `-` between; the first
 * axis changes slowest. If two axes set one field, the later axis counts.
 */
export function armsOf(named: NamedOverrides, grid: Readonly<Record<string, NamedOverrides>>): ArmFacts[] {
  const arms = Object.entries(named).map(([name, set]) => ({ name, set: { ...set } }));
  const axes = Object.values(grid);
  if (axes.length === 0) return arms;
  const combined = axes.reduce<{ names: string[]; set: Overrides }[]>(
    (found, axis) =>
      found.flatMap(({ names, set }) =>
        Object.entries(axis).map(([name, more]) => ({ names: [...names, name], set: { ...set, ...more } })),
      ),
    [{ names: [], set: {} }],
  );
  return [...arms, ...combined.map(({ names, set }) => ({ name: names.join('-'), set: { ...set } }))];
}

/**
 * A copy of a recipe's value with these fields set. What is between is made if it is not there; a section that is no mapping (`sft: none`) is replaced by
 * one. A longer path is set after a shorter one, so `sft` does not undo `sft.epochs`.
 */
export function withOverrides(recipe: unknown, set: Overrides): unknown {
  const sorted = Object.entries(set).toSorted(([a], [b]) => a.split('.').length - b.split('.').length);
  return sorted.reduce((value, [field, to]) => withField(value, field.split('.'), to), recipe);
}

function withField(value: unknown, [name, ...rest]: readonly string[], to: unknown): unknown {
  if (name === undefined) return to;
  const fields: Record<string, unknown> = isMapping(value) ? { ...value } : {};
  fields[name] = withField(fields[name], rest, to);
  return fields;
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
