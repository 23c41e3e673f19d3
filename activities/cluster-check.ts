/** A run must be on the cluster that its recipe names: jobs, store and base model of another one are not those that were meant. */
import { type Cluster, clusterInWords } from '../domain/clusters.ts';
import type { RunPlan } from '../domain/plan.ts';
import { refuse } from './failure.ts';

/** Which cluster this worker serves. */
export interface ClusterDeps {
  cluster?: Cluster;
}

/** Refuses (`RecipeInvalid`) a plan of another cluster. Pure. */
export function requireOwnCluster({ cluster }: ClusterDeps, { recipe }: RunPlan): void {
  if (recipe.cluster === cluster) return;
  const got = recipe.cluster === undefined ? 'none' : `"${recipe.cluster}"`;
  throw refuse('RecipeInvalid', `recipe.cluster: expected that of this worker, ${clusterInWords(cluster)}, got ${got}`);
}
