/** Whether Slurm would take an operator's changes: it is asked, and what it does not tell is no fault. */
import { SlurmError } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { createChangeActivities, type RulesSource } from '../../../activities/jobs/change-check.ts';
import { firstAttempt } from '../../../domain/jobs/job-spec.ts';
import type { OperatorAnswer } from '../../../domain/operator-answer.ts';
import { resources } from '../../../domain/recipe/resources.ts';
import { activityEnvironment, inActivity } from '../fixtures.ts';

const down = async () =>
  Promise.reject(new SlurmError('no answer', { kind: 'unavailable', delivery: 'not-delivered' }));

function check(wanted: Partial<OperatorAnswer>, slurm: Partial<RulesSource> = {}) {
  const source: RulesSource = {
    partitions: async () => [{ name: 'a100', nodes: ['n0'], maxTimeMinutes: 60 }],
    nodes: async () => [{ name: 'n0', cpus: 8, memoryMiB: 16_000, gres: '' }],
    qos: async () => [{ name: 'normal' }],
    ...slurm,
  };
  const input = {
    resources: resources.parse({ time_limit_minutes: 60 }),
    changes: firstAttempt,
    wanted: { stage: 'sft', action: 'retry', ...wanted },
  } as const;
  return inActivity(activityEnvironment().env, () => createChangeActivities({ slurm: source }).checkChanges(input));
}

describe('an operator’s changes', () => {
  it('are told where Slurm would refuse them', async () => {
    const { faults } = await check({ partition: 'nope', qos: 'hihg' });
    expect(faults).toEqual([
      'answer.qos: expected a QOS of the cluster (normal), got "hihg"',
      'answer.partition: expected a partition of the cluster (a100), got "nope"',
    ]);
  });

  it('are not judged by a slurmdbd that does not answer, and it is asked only about a QOS', async () => {
    await expect(check({ qos: 'hihg' }, { qos: down })).resolves.toEqual({ faults: [] });
    const qos = async () => Promise.reject(new Error('nobody asks'));
    await expect(check({ timeLimitMinutes: 30 }, { qos })).resolves.toEqual({ faults: [] });
  });

  it('wait for a slurmctld that does not answer: the activity fails, and nothing is said of them', async () => {
    await expect(check({ partition: 'a100' }, { partitions: down })).rejects.toThrow('no answer');
  });
});
