/** Arguments: texts from the command line → checked values. Commander prints the sentence and ends with exit code 1. */
import { InvalidArgumentError } from 'commander';
import { clusterExpected, isClusterName } from '../domain/clusters.ts';
import { shown } from '../domain/errors.ts';
import { isJobStage, isSafeName, isStage, type JobStage, type Stage, stageExpected } from '../domain/names.ts';
import { name as recipeName } from '../domain/recipe/fields.ts';

/** A whole number, 0 or above. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`expected a whole number, got ${shown(text)}`);
  return Number(text);
}

/** Parses a whole number, `least` or above. */
export function wholeNumberFrom(least: number): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text) || Number(text) < least)
      throw new InvalidArgumentError(`expected a whole number, at least ${least}, got ${shown(text)}`);
    return Number(text);
  };
}

/** Parses each of several values. Commander hands over what it has so far; nothing before the first. */
export function many<Value>(parse: (text: string) => Value): (text: string, before?: Value[]) => Value[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

/** A path. An empty one would name the folder in which npm runs, so it is refused. */
export function aPath(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError(`expected a path, got ${shown(text)}`);
  return text;
}

/** A person or a thing by its name, 1 to 100 characters without control characters. */
export function aName(text: string): string {
  if (/^[^\p{C}]{1,100}$/u.test(text) && text.trim() !== '') return text;
  throw new InvalidArgumentError(`expected a name of 1 to 100 characters, got ${shown(text)}`);
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError(`expected a number above 0, got ${shown(text)}`);
  return value;
}

/** A run's id. It need not have the form of our own ids: a schedule gives its runs others. Temporal takes up to 1000 characters. */
export function aRun(text: string): string {
  if (text.trim() === '' || text.length > 1000) {
    throw new InvalidArgumentError(`expected a run's id, as "critic run" prints it, got ${shown(text)}`);
  }
  return text;
}

/** Words that say why. One line, since it is shown in tables. */
export function aReason(text: string): string {
  if (/^[^\p{C}]{1,500}$/u.test(text) && text.trim() !== '') return text;
  throw new InvalidArgumentError(`expected a reason of 1 to 500 characters in one line, got ${shown(text)}`);
}

/** The key of an artifact, or its first digits. */
export function aKey(text: string): string {
  if (/^[0-9a-f]{6,32}$/.test(text)) return text;
  throw new InvalidArgumentError(`expected a key, or 6 or more of its 32 hex digits, got ${shown(text)}`);
}

/** The name of a recipe or a champion. */
export function aRecipe(text: string): string {
  if (recipeName.safeParse(text).success) return text;
  throw new InvalidArgumentError(`expected the name of a recipe, got ${shown(text)}`);
}

export function aStage(text: string): Stage {
  if (!isStage(text)) throw new InvalidArgumentError(`expected ${stageExpected}, got ${shown(text)}`);
  return text;
}

export function aJobStage(text: string): JobStage {
  if (isJobStage(text)) return text;
  throw new InvalidArgumentError(`expected a stage with a job, such as sft, grpo or predict-grpo, got ${shown(text)}`);
}

export const actions = ['retry', 'skip', 'abort'] as const;

export function anAction(text: string): (typeof actions)[number] {
  const found = actions.find((action) => action === text);
  if (found === undefined) throw new InvalidArgumentError(`expected retry, skip or abort, got ${shown(text)}`);
  return found;
}

/** `n1,n2` → names. None may be empty. */
export function nodeNames(text: string): string[] {
  const names = text.split(',');
  if (names.some((name) => name.trim() === '')) {
    throw new InvalidArgumentError(`expected names of nodes with commas between, such as n1,n2, got ${shown(text)}`);
  }
  return names;
}

/** The name of a cluster. */
export function aCluster(text: string): string {
  if (!isClusterName(text)) throw new InvalidArgumentError(`expected ${clusterExpected}, got ${shown(text)}`);
  return text;
}

/** The name of a night. */
export function aNight(text: string): string {
  if (!isSafeName(text, 40)) throw new InvalidArgumentError(`expected the name of a night, got ${shown(text)}`);
  return text;
}
