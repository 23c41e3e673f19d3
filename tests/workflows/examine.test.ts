/** examineCluster on a real Temporal: all partitions at once, and no job is left behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Examined, ExaminationOrder } from '../../domain/examination.ts';
import { taskQueues } from '../../domain/names.ts';
import type { examineCluster } from '../../workflows/upkeep/examine-cluster.ts';
import { stubs, withWorkers } from './harness.ts';

const order = (partition: string): ExaminationOrder => ({
  id: '20261128-190000',
  partition,
  account: undefined,
  qos: undefined,
  nodes: 1,
  gpusPerNode: 0,
  gpuType: undefined,
  cpus: 1,
  model: undefined,
  waitSeconds: 1,
});
const found = (partition: string): Examined => ({ partition, jobId: '7', nodes: [], collective: null, problems: [] });

describe('examineCluster', () => {
  it('looks at all partitions at once and answers in their order', async () => {
    const both = Promise.withResolvers<void>();
    const begun = new Set<string | undefined>();
    const examinePartition = async ({ partition }: ExaminationOrder): Promise<Examined> => {
      if (begun.add(partition).size === 2) both.resolve();
      await both.promise;
      return found(partition ?? '');
    };
    const { activities } = stubs({ examinePartition });
    await withWorkers(activities, 'examine-two', async (client) => {
      const answer = await client.workflow.execute<typeof examineCluster>('examineCluster', {
        workflowId: 'examine-two',
        taskQueue: taskQueues.workflows,
        args: [[order('cpu'), order('a100')]],
      });
      expect(answer.map(({ partition }) => partition)).toEqual(['cpu', 'a100']);
    });
  });

  it('cancels its jobs by their names when it is cancelled', async () => {
    const { activities, calls } = stubs({
      examinePartition: async () => {
        const beat = setInterval(() => Context.current().heartbeat(), 100);
        return Context.current().cancelled.finally(() => clearInterval(beat));
      },
    });
    await withWorkers(activities, 'examine-cancel', async (client) => {
      const handle = await client.workflow.start<typeof examineCluster>('examineCluster', {
        workflowId: 'examine-cancel',
        taskQueue: taskQueues.workflows,
        args: [[order('a100')]],
      });
      while (calls.length === 0) await sleep(50);
      await handle.cancel();
      const error: unknown = await handle.result().catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(WorkflowFailedError);
      expect(error).toMatchObject({ cause: expect.any(CancelledFailure) });
    });
    expect(calls.at(-1)).toBe('cancelJob critic-doctor-a100-20261128-190000');
  });

  it('cancels them too when it fails: a job that waits in the queue would stay there', async () => {
    const { activities, calls } = stubs({
      examinePartition: async () => Promise.reject(ApplicationFailure.nonRetryable('no such model')),
    });
    await withWorkers(activities, 'examine-fail', async (client) => {
      const handle = await client.workflow.start<typeof examineCluster>('examineCluster', {
        workflowId: 'examine-fail',
        taskQueue: taskQueues.workflows,
        args: [[order('cpu')]],
      });
      expect(await handle.result().catch((failure: unknown) => failure)).toBeInstanceOf(WorkflowFailedError);
    });
    expect(calls.at(-1)).toBe('cancelJob critic-doctor-cpu-20261128-190000');
  });
});
