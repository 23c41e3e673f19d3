/**
 * Clusters on the command line: which one a command is about. `--cluster` says it, else the recipe or the run itself, else `CRITIC_CLUSTER`, else it is the
 * one without a name.
 */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { caretakerId, type Cluster, clusterInWords, clusterOfQueue } from '../domain/clusters.ts';
import type { Recipe } from '../domain/recipe.ts';
import { CliError } from './cli-error.ts';
import { askedQueues } from './workers.ts';

/** `isSaid`: by `--cluster`. Otherwise it is only what holds where nothing else is said. */
export interface ChosenCluster {
  cluster: Cluster;
  isSaid: boolean;
}

/** By client, as its namespace is: whatever a command asks by one client is about one cluster. */
const chosen = new WeakMap<Client, ChosenCluster>();

export function chooseCluster(client: Client, cluster: ChosenCluster): void {
  chosen.set(client, cluster);
}

/** Where a command looks that is about no run and no recipe. */
export function chosenCluster(client: Client): Cluster {
  return chosen.get(client)?.cluster;
}

/** What `--cluster` says. */
function saidCluster(client: Client): Cluster {
  const { cluster, isSaid } = chosen.get(client) ?? { cluster: undefined, isSaid: false };
  return isSaid ? cluster : undefined;
}

/** Of runs that were looked up: a run stays on its cluster, and whoever follows one asks again and again. */
const seen = new WeakMap<Client, Map<string, Cluster>>();

/** The cluster of a run: by its task queue. Of a run that Temporal does not know (any more): the chosen one. */
export async function clusterOfRun(client: Client, run: string): Promise<Cluster> {
  const known = seen.get(client) ?? new Map<string, Cluster>();
  seen.set(client, known);
  try {
    if (!known.has(run)) known.set(run, clusterOfQueue((await client.workflow.getHandle(run).describe()).taskQueue));
    return known.get(run);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return chosenCluster(client);
    throw error;
  }
}

/** The recipe with the cluster on which it is to run. */
export function onCluster(client: Client, recipe: Recipe): Recipe {
  const cluster = saidCluster(client) ?? recipe.cluster ?? chosenCluster(client);
  return cluster === undefined ? recipe : { ...recipe, cluster };
}

/** Whatever is resumed goes on where it was: throws a CliError where `--cluster` says something else. */
export function requireSame(client: Client, id: string, { cluster }: { cluster?: Cluster }): void {
  const said = saidCluster(client);
  if (said === undefined || said === cluster) return;
  throw new CliError(`--cluster: expected that of ${id}, ${clusterInWords(cluster)}, got "${said}"`);
}

/** Throws a CliError for a cluster with a name for which no worker asks: what is started there would wait for one in silence. */
export async function requireServed(client: Client, cluster: Cluster, field = 'recipe.cluster'): Promise<void> {
  if (cluster === undefined) return;
  if ((await askedQueues(client, cluster)).some(({ workers }) => workers > 0)) return;
  const known = (await knownClusters(client)).map(clusterInWords);
  throw new CliError(
    `${field}: expected a cluster that a worker serves, got "${cluster}", for which none has asked in the last minutes; ` +
      (known.length === 0 ? 'no cluster has had a worker yet' : `known: ${known.join(', ')}`),
  );
}

/** Clusters that have a caretaker: a worker has served each of them once. */
export async function knownClusters(client: Client): Promise<Cluster[]> {
  const found = new Set<Cluster>();
  const query = "WorkflowType = 'caretaker' AND ExecutionStatus = 'Running'";
  for await (const { workflowId, taskQueue } of client.workflow.list({ query })) {
    const cluster = clusterOfQueue(taskQueue ?? '');
    if (workflowId === caretakerId(cluster)) found.add(cluster);
  }
  return [...found].toSorted((a = '', b = '') => (a < b ? -1 : 1)); // the one without a name is the last
}
