/** The path of an experiment, as tests/workflows/paths.test.ts has those of other workflows. */
import { describe, expect, it } from 'vitest';
import { taskQueues } from '../../domain/names.ts';
import type { runExperiment } from '../../workflows/run-experiment.ts';
import type { Path } from '../histories/paths.ts';
import { experiment } from './experiments.ts';
import { stubs, withWorkers } from './harness.ts';

describe('runExperiment', () => {
  it('begins its runs one after the other and has a report written', async () => {
    const path: Path = 'run-experiment';
    await withWorkers(stubs({}).activities, path, async (client) => {
      const handle = await client.workflow.start<typeof runExperiment>('runExperiment', {
        workflowId: path,
        taskQueue: taskQueues.workflows,
        args: [experiment('path', ['a', 'b'], { at_most: 1 })],
      });
      expect(await handle.result()).toMatchObject({ report: '/store/experiments/e/report.html' });
    });
  });
});
