/**
 * Stage keys: what determines the artifact of a job, and the keys of a whole run in advance. Pure: the hash is an argument. What determines a
 * stage that is no job is said where the stage is made (`activities/estimate/run-keys.ts` gathers it).
 */
import type { EngineName, EngineVersions } from './engines/registry.ts';
import { jobIngredients, type JobOrder } from './jobs/job-spec.ts';
import type { Stage } from './names.ts';
import { type JobNode, type StageNode, upstream } from './stage-graph.ts';

/** What a run works with beside its recipe and dataset. `trainer` is the folder of its code, which ends in the code's hash. */
export interface Surroundings {
  trainer: string;
  baseModel: { key: string };
  /** Versions of each engine that the recipe chooses, in its environment. */
  engines: Partial<Record<EngineName, EngineVersions>>;
}

/** The part of a job's order that is in the key of its artifact too. */
export function keyedParts(
  node: JobNode,
  { trainer, engines }: Surroundings,
): Pick<JobOrder, 'params' | 'seed' | 'trainer' | 'engine'> {
  const versions = engines[node.engine];
  if (versions === undefined) throw new Error(`the versions of ${node.engine} were not asked for`);
  const engine = { name: node.engine, versions };
  return { params: node.params, seed: node.seed, trainer, engine };
}

/** All that determines a job's artifact. The key is its hash. `keyOf` gives the key of an upstream stage's artifact. */
export function ingredientsOfJob(
  node: JobNode,
  surroundings: Surroundings,
  keyOf: (stage: Stage) => string,
): Record<string, unknown> {
  const inputs = Object.entries<Stage>(node.inputs).map(([role, stage]) => [role, keyOf(stage)]);
  const model = node.model === 'base' ? surroundings.baseModel.key : keyOf(node.model);
  return jobIngredients(keyedParts(node, surroundings), model, Object.fromEntries(inputs));
}

/**
 * Keys of all stages whose key is known in advance, in the order of the graph. `keyOf` makes a key from those of the stages upstream, or returns
 * undefined if it is not known in advance. Such a stage, and all that is made from it, has no key here.
 */
export function foretellKeys(
  graph: readonly StageNode[],
  keyOf: (node: StageNode, upstreamKey: (stage: Stage) => string) => string | undefined,
): Map<Stage, string> {
  const keys = new Map<Stage, string>();
  const known = (stage: Stage) => {
    const key = keys.get(stage);
    if (key === undefined) throw new Error(`the key of stage "${stage}" is asked for before it is known`);
    return key;
  };
  for (const node of graph) {
    if (!upstream(node).every((name) => keys.has(name))) continue;
    const key = keyOf(node, known);
    if (key !== undefined) keys.set(node.name, key);
  }
  return keys;
}
