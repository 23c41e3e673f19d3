/** Resources against the cluster, at the start of a run and in a plan: refused where Slurm tells, let through where it does not. */
import { SlurmError } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { checkPlacement, type ClusterSource } from '../../../activities/estimate/placement-check.ts';
import { activityEnvironment, inActivity, makePlan, rejection } from '../fixtures.ts';

const nodes = [{ name: 'n0', cpus: 8, memoryMiB: 16_000, gres: 'gpu:a100:2' }];
const partitions = [{ name: 'a100', nodes: ['n0'], maxTimeMinutes: undefined }];

function check(slurm: Partial<ClusterSource> | undefined, resources: { partition?: string; gpus_per_node?: number }) {
  const { recipe, ...plan } = makePlan('/data', {}, 'test-20261124-030000');
  const changed = { ...recipe, grpo: { ...recipe.grpo, resources: { ...recipe.grpo.resources, ...resources } } };
  const source = slurm && { partitions: async () => partitions, nodes: async () => nodes, ...slurm };
  return inActivity(activityEnvironment().env, () => checkPlacement({ ...plan, recipe: changed }, source));
}

describe('before a run', () => {
  it('what no node has is refused by field, value and expectation', async () => {
    expect(await rejection(check({}, { partition: 'a100', gpus_per_node: 4 }))).toMatchObject({
      type: 'RecipeInvalid',
      nonRetryable: true,
      message: expect.stringContaining(
        'recipe.grpo.resources.gpus_per_node: expected at most 2, which a node of partition "a100" has, got 4',
      ),
    });
  });

  it('a partition that does not exist is refused', async () => {
    const error = await rejection(check({}, { partition: 'a1000' }));
    expect(error).toHaveProperty('message', expect.stringContaining('recipe.grpo.resources.partition: expected'));
  });

  it('what fits is let through', async () => {
    await expect(check({}, { partition: 'a100', gpus_per_node: 2 })).resolves.toBeUndefined();
  });

  it('nothing is refused where slurmrestd does not answer or tells of no partition, or nobody asks', async () => {
    const down = async () =>
      Promise.reject(new SlurmError('list nodes: no answer', { kind: 'unavailable', delivery: 'not-delivered' }));
    await expect(check({ nodes: down }, { partition: 'a1000' })).resolves.toBeUndefined();
    await expect(check({ partitions: async () => [] }, { partition: 'a1000' })).resolves.toBeUndefined();
    await expect(check(undefined, { partition: 'a1000' })).resolves.toBeUndefined();
  });
});
