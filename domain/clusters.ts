/**
 * Clusters: each has a worker, a Slurm and a store of its own, and one Temporal namespace may have several. A cluster has a name or none. Its name is
 * in the names of its task queues, `critic@NAME`, so what a workflow asks for is done by the workers of the cluster that the workflow is on.
 */
import { isSafeName, taskQueues } from './names.ts';

/** Undefined: the cluster without a name. */
export type Cluster = string | undefined;
export type QueueUse = keyof typeof taskQueues;

/** Characters of a cluster's name at most. */
const clusterChars = 24;
export const clusterExpected = `1 to ${clusterChars} of letters, digits, ".", "_" and "-", no leading dot`;

export function isClusterName(text: string): boolean {
  return isSafeName(text, clusterChars);
}

/** A name that cannot have `@` in it, with the cluster's behind it: `critic-watch@NAME`. */
function at(name: string, cluster: Cluster): string {
  return cluster === undefined ? name : `${name}@${cluster}`;
}

/** The task queue of a cluster. */
export function queueOf(use: QueueUse, cluster: Cluster): string {
  return at(taskQueues[use], cluster);
}

/** The cluster whose task queue this is. */
export function clusterOfQueue(queue: string): Cluster {
  const place = queue.indexOf('@');
  return place === -1 ? undefined : queue.slice(place + 1);
}

/** Id of the cluster's caretaker, its one workflow that always runs (workflows/upkeep/caretaker.ts). */
export function caretakerId(cluster: Cluster): string {
  return at('critic-caretaker', cluster);
}

/** For people: `cluster "a100"`. */
export function clusterInWords(cluster: Cluster): string {
  return cluster === undefined ? 'the cluster without a name' : `cluster "${cluster}"`;
}
