/** Does a partition have the nodes that a job asks for? Slurm itself says no only when the job is submitted, or lets it wait for ever. */
import type { Misfit } from '../engines/engine.ts';
import type { Resources } from '../recipe.ts';

/** What Slurm says of a partition. */
export interface ClusterPartition {
  name: string;
  /** Names of its nodes. */
  nodes: readonly string[];
  /** Undefined: unlimited, or not said. */
  maxTimeMinutes: number | undefined;
}

/** What Slurm says of a node. 0 CPUs and up to 1 MiB stand for what nobody has configured. */
export interface ClusterNode {
  name: string;
  cpus: number;
  memoryMiB: number;
  /** As configured: `gpu:a100:8(S:0-1),nvme:1`. */
  gres: string;
}

export interface ClusterView {
  partitions: readonly ClusterPartition[];
  nodes: readonly ClusterNode[];
}

/**
 * What no named partition can give, of the one that comes closest. Paths are below the job's section. Nodes that are down count: they come back.
 * Without a partition nothing is known. What Slurm does not tell is no fault.
 */
export function placementFaults(resources: Resources, cluster: ClusterView): Misfit[] {
  if (resources.partition === undefined) return [];
  const names = resources.partition.split(',');
  const found = names.map((name) => cluster.partitions.find((partition) => partition.name === name));
  const known = found.filter((partition) => partition !== undefined);
  if (known.length < names.length) {
    const there = cluster.partitions.map(({ name }) => name).join(', ');
    const message = `expected a partition of the cluster (${there})`;
    return [{ path: ['resources', 'partition'], input: resources.partition, message }];
  }
  const faults = known.map((partition) => faultsOf(resources, partition, cluster.nodes));
  return faults.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function faultsOf(wanted: Resources, partition: ClusterPartition, all: readonly ClusterNode[]): Misfit[] {
  const named = `partition "${partition.name}"`;
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, field: keyof Resources, message: string) => {
    if (!holds) misfits.push({ path: ['resources', field], input: wanted[field], message: `expected ${message}` });
  };
  const limit = partition.maxTimeMinutes ?? Infinity;
  expect(wanted.time_limit_minutes <= limit, 'time_limit_minutes', `at most ${limit}, the time limit of ${named}`);
  const usable = partition.nodes.filter((name) => !wanted.exclude_nodes.includes(name));
  if (partition.nodes.length === 0) return misfits;
  const ofThese = wanted.exclude_nodes.length === 0 ? 'the nodes' : 'the nodes without the excluded ones';
  expect(wanted.nodes <= usable.length, 'nodes', `at most ${usable.length}, ${ofThese} of ${named}`);
  const nodes = all.filter(({ name }) => usable.includes(name));
  // Some are not listed, so nothing is known of them.
  if (misfits.length > 0 || nodes.length < usable.length) return misfits;

  /** The most that as many nodes have as the job needs. */
  const most = (of: (node: ClusterNode) => number) => nodes.map(of).toSorted((a, b) => b - a)[wanted.nodes - 1] ?? 0;
  const has = `which ${wanted.nodes === 1 ? 'a node' : `${wanted.nodes} nodes`} of ${named} ${wanted.nodes === 1 ? 'has' : 'have'}`;
  const cpus = most((node) => (node.cpus === 0 ? Infinity : node.cpus));
  expect(wanted.cpus <= cpus, 'cpus', `at most ${cpus}, ${has}`);
  const memory = most(({ memoryMiB }) => (memoryMiB <= 1 ? Infinity : memoryMiB));
  expect((wanted.memory_mib ?? 0) <= memory, 'memory_mib', `at most ${memory}, ${has}`);
  // A server that tells of no GPU at all may not tell of GPUs.
  if (wanted.gpus_per_node === 0 || all.every((node) => gpusOf(node).length === 0)) return misfits;
  const types = [...new Set(nodes.flatMap(gpusOf).map(({ type }) => type))].filter((type) => type !== '');
  const type = wanted.gpu_type;
  const isThere = type === undefined || types.length === 0 || types.includes(type);
  expect(isThere, 'gpu_type', `one of ${types.join(', ')}, ${has}`);
  if (!isThere) return misfits;
  const gpus = most((node) => countGpus(node, type));
  expect(wanted.gpus_per_node <= gpus, 'gpus_per_node', `at most ${gpus}, ${has}`);
  return misfits;
}

interface Gpus {
  /** Empty: Slurm does not say. */
  type: string;
  count: number;
}

function countGpus(node: ClusterNode, type: string | undefined): number {
  const fitting = gpusOf(node).filter((gpus) => type === undefined || gpus.type === '' || gpus.type === type);
  // A job that names no type may be given GPUs of several.
  return fitting.reduce((sum, { count }) => sum + count, 0);
}

/** Of `gpu:a100:8(S:0-1),nvme:1`, `gpu:8`, `gpu`. */
function gpusOf({ gres }: ClusterNode): Gpus[] {
  const plain = gres.replaceAll(/\([^)]*\)/g, '');
  return plain.split(',').flatMap((one) => {
    const [name, ...rest] = one.trim().split(':');
    if (name !== 'gpu') return [];
    const last = rest.at(-1);
    const hasCount = last !== undefined && /^\d+$/.test(last);
    return [{ type: (hasCount ? rest.slice(0, -1) : rest).join(':'), count: hasCount ? Number(last) : 1 }];
  });
}
