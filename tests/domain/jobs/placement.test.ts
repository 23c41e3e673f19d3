/** What is asked of a partition against what it has. */
import { describe, expect, it } from 'vitest';
import { type ClusterNode, type ClusterPartition, placementFaults } from '../../../domain/jobs/placement.ts';
import { resources, type Resources } from '../../../domain/recipe/resources.ts';

const node = (name: string, gres = 'gpu:a100:8(S:0-1)', more: Partial<ClusterNode> = {}): ClusterNode => ({
  name,
  cpus: 64,
  memoryMiB: 1_000_000,
  gres,
  ...more,
});
const partition = (name: string, nodes: string[], maxTimeMinutes?: number): ClusterPartition => ({
  name,
  nodes,
  maxTimeMinutes,
});
const cluster = {
  partitions: [
    partition('a100', ['g0', 'g1'], 1440),
    partition('mixed', ['g0', 'h0'], 60),
    partition('cpu', ['c0', 'c1']),
    partition('untold', []),
  ],
  nodes: [
    node('g0'),
    node('g1', 'gpu:a100:4', { cpus: 32, memoryMiB: 500_000 }),
    node('h0', 'nvme:1,gpu:h100:8'),
    node('c0', ''),
    node('c1', '', { cpus: 0, memoryMiB: 1 }),
  ],
};

function faults(wanted: Partial<Resources>, view = cluster): string[] {
  const given = resources.parse({ partition: 'a100', time_limit_minutes: 60, ...wanted });
  return placementFaults(given, view).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a job fits', () => {
  it.each<[string, Partial<Resources>]>([
    ['all of one node', { gpus_per_node: 8, cpus: 64, memory_mib: 1_000_000, gpu_type: 'a100' }],
    ['what both nodes have', { nodes: 2, gpus_per_node: 4, cpus: 32, memory_mib: 500_000, time_limit_minutes: 1440 }],
    ['no GPU', { partition: 'cpu', gpus_per_node: 0, cpus: 64 }],
    [
      'CPUs and memory of which nothing is said',
      { partition: 'cpu', gpus_per_node: 0, nodes: 1, cpus: 100, memory_mib: 9e6 },
    ],
    ['any of the types', { partition: 'mixed', gpus_per_node: 8, nodes: 2 }],
    ['a partition without a list of nodes', { partition: 'untold', gpus_per_node: 16, nodes: 64 }],
    ['no partition', { partition: undefined, gpus_per_node: 16 }],
    ['one of two partitions', { partition: 'cpu,a100', gpus_per_node: 8 }],
  ])('%s', (_what, wanted) => {
    expect(faults(wanted)).toEqual([]);
  });

  it('a cluster whose server tells of no GPU, or not of every node', () => {
    const silent = { ...cluster, nodes: cluster.nodes.map((one) => ({ ...one, gres: '' })) };
    expect(faults({ gpus_per_node: 8 }, silent)).toEqual([]);
    expect(faults({ gpus_per_node: 16 }, { ...cluster, nodes: [node('g0')] })).toEqual([]);
  });
});

describe('a job does not fit', () => {
  it.each<[string, Partial<Resources>, string]>([
    [
      'no such partition',
      { partition: 'a100,b200' },
      'partition: expected a partition of the cluster (a100, mixed, cpu, untold)',
    ],
    ['nodes', { nodes: 3 }, 'nodes: expected at most 2, the nodes of partition "a100"'],
    [
      'excluded nodes',
      { nodes: 2, exclude_nodes: ['g0'] },
      'nodes: expected at most 1, the nodes without the excluded ones of partition "a100"',
    ],
    ['GPUs', { gpus_per_node: 16 }, 'gpus_per_node: expected at most 8, which a node of partition "a100" has'],
    [
      'GPUs of two nodes',
      { nodes: 2, gpus_per_node: 8 },
      'gpus_per_node: expected at most 4, which 2 nodes of partition "a100" have',
    ],
    [
      'GPUs where none are',
      { partition: 'cpu' },
      'gpus_per_node: expected at most 0, which a node of partition "cpu" has',
    ],
    ['a type', { gpu_type: 'h100' }, 'gpu_type: expected one of a100, which a node of partition "a100" has'],
    [
      'GPUs of a type',
      { partition: 'mixed', nodes: 2, gpu_type: 'h100', gpus_per_node: 8 },
      'gpus_per_node: expected at most 0, which 2 nodes of partition "mixed" have',
    ],
    ['CPUs', { nodes: 2, cpus: 64 }, 'cpus: expected at most 32, which 2 nodes of partition "a100" have'],
    ['memory', { memory_mib: 2_000_000 }, 'memory_mib: expected at most 1000000, which a node of partition "a100" has'],
    [
      'time',
      { time_limit_minutes: 1441 },
      'time_limit_minutes: expected at most 1440, the time limit of partition "a100"',
    ],
  ])('%s', (_what, wanted, fault) => {
    expect(faults(wanted)).toEqual([`resources.${fault}`]);
  });
});
