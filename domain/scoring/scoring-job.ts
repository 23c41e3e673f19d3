/** The job of a scoring: a prediction like those of a run, of other pairs, by a model that stands. */
import { jobEngine, jobParams, jobPlacement, jobPlanned, type RunPlan } from '../plan.ts';
import type { Recipe } from '../recipe.ts';
import type { JobNode } from '../stage-graph.ts';
import { type ScoringOrder, scoringStages } from './scoring.ts';

/** The stage from which a scoring takes its model. It is not one of its own. */
export const criticStage = 'grpo';

export function scoringNode(recipe: Recipe): JobNode {
  const { job: name, pairs } = scoringStages;
  const { threads, resources } = jobPlacement(name, recipe);
  return {
    kind: 'predict',
    name,
    inputs: { dataset: pairs, prompts: pairs },
    model: criticStage,
    engine: jobEngine(name, recipe),
    params: jobParams(name, recipe),
    seed: recipe.seed,
    threads,
    resources,
    planned: (countsOf) => jobPlanned(name, recipe, { records: 0, rows: countsOf(pairs)['test'] ?? null }),
    canSkip: false,
  };
}

/** The plan of the run that made the critic, as the plan of this scoring: what the critic is asked, and how it answers, stay as they were. */
export function scoringPlan({ recipe }: RunPlan, { id, samples, resumes, owner }: ScoringOrder): RunPlan {
  return {
    schema: 1,
    run: id,
    recipe: samples === undefined ? recipe : { ...recipe, predict: { ...recipe.predict, samples } },
    ...(resumes === undefined ? {} : { resumes }),
    ...(owner === undefined ? {} : { owner }),
  };
}
