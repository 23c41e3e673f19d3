/** Made anew: a stage's artifact and all that is made from it, though they are there. The stage's ingredients name the run that began this, so their keys are new. */
import type { Stage } from './names.ts';
import type { RunPlan } from './plan.ts';

/** The stages that cannot be made anew, and why. What a run makes each time anew is not in it. */
export function anewFault(from: Stage): string | undefined {
  if (from === 'dataset') return 'a dataset is kept by its content: the same pairs give the same one';
  if (from === 'gate' || from === 'report') return `every run makes its own ${from}: start a run of the recipe`;
  return undefined;
}

/** The ingredients of a stage's artifact under this plan. */
export function ingredientsUnder(
  { anew }: { anew?: RunPlan['anew'] | undefined },
  stage: Stage,
  ingredients: Record<string, unknown>,
): Record<string, unknown> {
  return anew?.from === stage ? { ...ingredients, anew: anew.by } : ingredients;
}
