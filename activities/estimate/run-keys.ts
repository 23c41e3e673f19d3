/**
 * Keys of a run: the keys of all artifacts that a run of a recipe will make, in advance. The graph (`domain/stage-graph.ts`) says which stages
 * there are and what each is made from. What determines a stage that is no job is said where it is made.
 */
import { ingredientsUnder } from '../../domain/anew.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { Recipe } from '../../domain/recipe.ts';
import type { StageNode } from '../../domain/stage-graph.ts';
import { foretellKeys, ingredientsOfJob, type Surroundings } from '../../domain/stage-keys.ts';
import type { PixelLimits } from '../records/record-lengths.ts';
import { mixIngredients, promptsIngredients } from '../records/records.ts';
import { artifactKey } from '../store/artifact-store.ts';
import { synthesisIngredients, type TeacherIdentity } from '../synthesis/keys.ts';

/** What the keys follow from. */
export interface KeySources {
  recipe: Recipe;
  dataset: ArtifactRef;
  /** Undefined: the run asks no teacher. */
  teacher: TeacherIdentity | undefined;
  pixels: PixelLimits;
  found: Surroundings;
  /** Of a run that makes stages anew. */
  anew?: RunPlan['anew'] | undefined;
}

/** Keys in the order of the graph. A stage has none if its artifact depends on what an operator will say. */
export function runKeys(graph: readonly StageNode[], sources: KeySources): Map<Stage, string> {
  return foretellKeys(graph, (node, keyOf) => {
    if (node.kind === 'dataset') return sources.dataset.key;
    const ingredients = ingredientsOf(node, sources, keyOf);
    return ingredients && artifactKey(node.name, ingredientsUnder(sources, node.name, ingredients));
  });
}

function ingredientsOf(
  node: Exclude<StageNode, { kind: 'dataset' }>,
  { recipe, teacher, pixels, found }: KeySources,
  keyOf: (stage: Stage) => string,
): Record<string, unknown> | undefined {
  switch (node.kind) {
    case 'synthesis':
      return teacher && synthesisIngredients({ ...teacher, datasetKey: keyOf(node.inputs.dataset) });
    case 'prompts':
      return promptsIngredients(recipe, keyOf(node.inputs.dataset));
    case 'mix':
      return mixIngredients(
        recipe,
        keyOf(node.inputs.dataset),
        node.inputs.synthesis && keyOf(node.inputs.synthesis),
        pixels,
      );
    case 'tokenize':
    case 'sft':
    case 'grpo':
    case 'predict':
      return ingredientsOfJob(node, found, keyOf);
    case 'evaluation':
    case 'gate':
    case 'report':
      return undefined;
  }
}
