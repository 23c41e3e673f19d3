/** What an operator wants of a job's next attempt, against what Slurm has. */
import { describe, expect, it } from 'vitest';
import { changeFaults, type ClusterRules, concernsSlurm } from '../../../domain/jobs/change-check.ts';
import { firstAttempt } from '../../../domain/jobs/job-spec.ts';
import type { OperatorAnswer } from '../../../domain/operator-answer.ts';
import { resources, type Resources } from '../../../domain/recipe/resources.ts';

const node = (name: string) => ({ name, cpus: 8, memoryMiB: 16_000, gres: 'gpu:a100:2' });
const cluster: ClusterRules = {
  partitions: [
    { name: 'a100', nodes: ['n0', 'n1'], maxTimeMinutes: 1440 },
    { name: 'short', nodes: ['n0'], maxTimeMinutes: 30 },
  ],
  nodes: [node('n0'), node('n1')],
  qos: ['normal', 'high'],
};

function faults(wanted: Partial<OperatorAnswer>, recipe: Partial<Resources> = {}, view: Partial<ClusterRules> = {}) {
  const given = resources.parse({ time_limit_minutes: 60, memory_mib: 8000, ...recipe });
  const check = {
    resources: given,
    changes: firstAttempt,
    wanted: { stage: 'sft', action: 'retry', ...wanted },
  } as const;
  return changeFaults(check, { ...cluster, ...view });
}

describe('a change that Slurm would refuse', () => {
  it.each<[string, Partial<OperatorAnswer>, Partial<Resources>, string]>([
    [
      'a partition that is not there',
      { partition: 'nope' },
      {},
      'answer.partition: expected a partition of the cluster (a100, short), got "nope"',
    ],
    [
      'a partition whose time limit is below the job’s',
      { partition: 'short' },
      {},
      'answer.partition: "short" does not fit: time_limit_minutes 60: expected at most 30, the time limit of partition "short"',
    ],
    [
      'a partition without the GPUs',
      { partition: 'a100' },
      { gpus_per_node: 4 },
      'answer.partition: "a100" does not fit: gpus_per_node 4: expected at most 2, which a node of partition "a100" has',
    ],
    [
      'more time than the recipe’s partition gives',
      { timeLimitMinutes: 1441 },
      { partition: 'a100' },
      'answer.timeLimitMinutes: expected at most 1440, the time limit of partition "a100", got 1441',
    ],
    [
      'more time than any partition gives, where none is named',
      { timeLimitMinutes: 1441 },
      {},
      'answer.timeLimitMinutes: expected at most 1440, the time limit of partition "a100", got 1441',
    ],
    [
      'no node left',
      { excludeNodes: ['n0', 'n1'] },
      { partition: 'a100' },
      'answer.excludeNodes: expected to leave nodes enough for "nodes: 1" of the recipe (at most 0, the nodes without the excluded ones of partition "a100"), got "n0,n1"',
    ],
    [
      'more memory than a node has',
      { memoryFactor: 3 },
      { partition: 'a100' },
      'answer.memoryFactor: expected at most 16000, which a node of partition "a100" has, got 24000',
    ],
    [
      'a node that is not there',
      { excludeNodes: ['n0', 'n7'] },
      {},
      'answer.excludeNodes: expected nodes of the cluster (n0, n1), got "n7"',
    ],
    [
      'a node that is not there, allowed',
      { allowNodes: ['n7'] },
      {},
      'answer.allowNodes: expected nodes of the cluster (n0, n1), got "n7"',
    ],
    [
      'a QOS that is not there',
      { qos: 'hihg' },
      {},
      'answer.qos: expected a QOS of the cluster (normal, high), got "hihg"',
    ],
  ])('is told by field, value and expectation: %s', (_, wanted, recipe, sentence) => {
    expect(faults(wanted, recipe)).toEqual([sentence]);
  });

  it('is not one that fits, nor one of which Slurm tells nothing', () => {
    expect(faults({ partition: 'a100', timeLimitMinutes: 1440, excludeNodes: ['n1'], qos: 'HIGH' })).toEqual([]);
    expect(faults({ allowNodes: ['n0'] }, { partition: 'a100', exclude_nodes: ['n0', 'n1'] })).toEqual([]);
    expect(faults({ qos: 'hihg' }, {}, { qos: [] })).toEqual([]);
    expect(faults({ partition: 'nope', excludeNodes: ['n7'] }, {}, { partitions: [], nodes: [] })).toEqual([]);
    // A node that is in no list, but in a partition.
    expect(faults({ excludeNodes: ['n1'] }, {}, { nodes: [node('n0')] })).toEqual([]);
  });

  it('is looked for only where something concerns Slurm', () => {
    const answer = { stage: 'sft', action: 'retry' } as const;
    expect(concernsSlurm({ ...answer, microBatchHalvings: 1, anew: true })).toBe(false);
    expect(concernsSlurm({ ...answer, timeLimitMinutes: 1 })).toBe(true);
  });
});
