/**
 * The plan: a checked recipe bound to a run. Plain data that travels into the workflow and is written beside the run.
 */
import type { Counts, EngineRules, Params, Planned } from './engines/engine.ts';
import { llamaFactoryTokenize } from './engines/llamafactory-tokenize.ts';
import { type EngineName, engineOf, engines } from './engines/registry.ts';
import type { Membership } from './experiment/experiment.ts';
import { jobKind, type JobKind, type JobStage, type Stage } from './names.ts';
import type { Recipe, Resources } from './recipe.ts';
import { sftNeeded } from './recipe/arms.ts';

export interface RunPlan {
  schema: 1;
  /** Id of the run, which is its workflow's. */
  run: string;
  recipe: Recipe;
  /** Id of a run that has ended: this one goes on from the checkpoints that it left. */
  resumes?: string;
  /** This stage and all that follow are made anew, though artifacts are there. `by` is the run that began this, and makes the keys new. */
  anew?: { from: Stage; by: string };
  /** The night that began the run, and when it was to begin (ISO, UTC). */
  night?: { name: string; at: string };
  /** The experiment that began the run. Such a run never becomes champion. */
  experiment?: Membership;
  /** Who started it, for people; not checked. */
  owner?: string;
}

/** Asks the engine that the recipe chooses for this kind, with the recipe's section of the same kind. */
function ask<Answer>(
  kind: JobKind,
  recipe: Recipe,
  question: <Settings>(engine: EngineRules<Settings>, settings: Settings) => Answer,
): Answer {
  switch (kind) {
    case 'tokenize':
      return question(llamaFactoryTokenize, sftNeeded(recipe));
    case 'sft':
      return question(engines[engineOf(kind, sftNeeded(recipe))], sftNeeded(recipe));
    case 'grpo':
      return question(engines[engineOf(kind, recipe.grpo)], recipe.grpo);
    case 'predict':
      return question(engines[engineOf(kind, recipe.predict)], recipe.predict);
  }
}

/** Parameters as the trainer gets them in `attempt.json`: they determine the output. Resources and threads are left out. */
export function jobParams(stage: JobStage, recipe: Recipe): Params {
  return ask(jobKind(stage), recipe, (engine, settings) => engine.params(settings));
}

/** Optimiser steps or rows that the job must do, as its engine counts them. */
export function jobPlanned(stage: JobStage, recipe: Recipe, counts: Counts): Planned {
  return ask(jobKind(stage), recipe, (engine, settings) => engine.planned(settings, counts));
}

/** The engine that the recipe chooses for the job. */
export function jobEngine(stage: JobStage, recipe: Recipe): EngineName {
  const kind = jobKind(stage);
  // SFT reads what was tokenised, so its engine does that too.
  if (kind === 'tokenize' || kind === 'sft') return engineOf('sft', sftNeeded(recipe));
  return kind === 'grpo' ? engineOf(kind, recipe.grpo) : engineOf(kind, recipe.predict);
}

/** Where the job runs. Throws for a kind of job that the recipe has not: a bug. */
export function jobPlacement(stage: JobStage, recipe: Recipe): { threads: number; resources: Resources } {
  const kind = jobKind(stage);
  const section = sectionOf(kind, recipe);
  if (section === undefined) throw new Error(`the recipe has no job "${stage}"`);
  return section;
}

function sectionOf(kind: JobKind, recipe: Recipe): { threads: number; resources: Resources } | undefined {
  if (kind === 'tokenize') return sftNeeded(recipe).tokenize;
  return kind === 'sft' ? sftNeeded(recipe) : recipe[kind];
}
