/**
 * The plan: a checked recipe bound to a run. Plain data that travels into the workflow and is written beside the run.
 */
import type { Counts, EngineRules, Params, Planned } from './engines/engine.ts';
import { engineOf, engines } from './engines/registry.ts';
import { jobKind, type JobKind, type JobStage } from './names.ts';
import type { Recipe, Resources } from './recipe.ts';

export interface RunPlan {
  schema: 1;
  run: string;
  recipe: Recipe;
}

/** Asks the engine that the recipe chooses for this kind, with the recipe's section of the same kind. */
function ask<Answer>(
  kind: JobKind,
  recipe: Recipe,
  question: <Settings>(engine: EngineRules<Settings>, settings: Settings) => Answer,
): Answer {
  switch (kind) {
    case 'sft':
      return question(engines[engineOf(kind, recipe.sft)], recipe.sft);
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

export function jobResources(stage: JobStage, recipe: Recipe): Resources {
  return recipe[jobKind(stage)].resources;
}

export function jobThreads(stage: JobStage, recipe: Recipe): number {
  return recipe[jobKind(stage)].threads;
}
