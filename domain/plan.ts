/**
 * The plan: a checked recipe bound to a run. Plain data that travels into the workflow and is written beside the run.
 */
import type { Recipe, Resources } from './recipe.ts';
import type { JobStage } from './names.ts';

export interface RunPlan {
  schema: 1;
  run: string;
  recipe: Recipe;
}

/** Kind of a job's work, as `attempt.json` names it. */
export type JobKind = 'sft' | 'grpo' | 'predict';

export function jobKind(stage: JobStage): JobKind {
  switch (stage) {
    case 'sft':
      return 'sft';
    case 'grpo':
      return 'grpo';
    case 'predict-base':
    case 'predict-sft':
    case 'predict-grpo':
      return 'predict';
  }
}

/** Optimiser steps of SFT: LLaMA-Factory (HF Trainer) takes ceil(records / batch) a pass, then divides by accumulation. */
export function sftSteps(records: number, settings: Recipe['sft']): number {
  const batches = Math.ceil(records / settings.batch_size);
  const stepsPerEpoch = Math.max(1, Math.ceil(batches / settings.gradient_accumulation));
  return Math.ceil(settings.epochs * stepsPerEpoch);
}

/** Parameters as the trainer gets them in `attempt.json`: what determines the output, resources and threads left out. */
export function jobParams(stage: JobStage, recipe: Recipe): Record<string, unknown> {
  switch (jobKind(stage)) {
    case 'sft': {
      const { resources: _resources, threads: _threads, ...params } = recipe.sft;
      return params;
    }
    case 'grpo': {
      const { resources: _resources, threads: _threads, ...params } = recipe.grpo;
      return params;
    }
    case 'predict': {
      const { resources: _resources, threads: _threads, ...params } = recipe.predict;
      return { split: 'test', ...params };
    }
  }
}

export function jobResources(stage: JobStage, recipe: Recipe): Resources {
  return recipe[jobKind(stage)].resources;
}

export function jobThreads(stage: JobStage, recipe: Recipe): number {
  return recipe[jobKind(stage)].threads;
}
