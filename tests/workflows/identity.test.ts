/** What a run is called by: its id is its workflow's, and its search attributes say who waits since when. */
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { RunView } from '../../domain/jobs/progress.ts';
import { taskQueues } from '../../domain/names.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { completed, plan, start, stubs, until, withWorkers } from './harness.ts';

describe('a run', () => {
  it('whose plan names another run than its workflow ends at once, in one sentence, before anything is done', async () => {
    const { activities, calls } = stubs({});
    const id = 'critic-night-2026-11-28T01:00:00Z';
    await withWorkers(activities, id, async (client) => {
      const handle = await client.workflow.start<typeof trainCritic>('trainCritic', {
        workflowId: id,
        taskQueue: taskQueues.workflows,
        args: [plan('wf-other')],
      });
      const error = await handle.result().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(WorkflowFailedError);
      expect(error).toMatchObject({
        cause: { type: 'ConfigInvalid', message: `plan.run: expected the workflow's id, "${id}", got "wf-other"` },
      });
      expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['aborted']);
    });
    expect(calls).toEqual([]);
  });

  it('says since when it waits, over a cut too, and no longer when it goes on', async () => {
    const { activities } = stubs({
      collectAttempt: async ({ order: { stage }, prepared: { attempt } }) =>
        stage === 'sft' && attempt === 1 ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' } : completed,
    });
    const run = 'wf-since';
    await withWorkers(activities, run, async (client) => {
      const before = Date.now();
      const first = await start(client, run, {}, { historyEvents: 45 });
      const handle = client.workflow.getHandle(run);
      const asking = await until(
        () => handle.query<RunView>('view'),
        ({ questions }) => questions.length === 1,
      );
      const since = new Date(asking.waitingSince ?? 0);
      expect(since.getTime()).toBeGreaterThanOrEqual(before - 1000);
      await until(
        async () => (await handle.describe()).runId !== first.firstExecutionRunId,
        (isContinued) => isContinued,
      );
      await until(
        () => handle.query<RunView>('view'),
        ({ questions }) => questions.length === 1,
      );
      expect((await handle.describe()).searchAttributes).toMatchObject({
        CriticStatus: ['waiting'],
        CriticWaitingSince: [since],
      });
      await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'retry' }] });
      await handle.result();
      const { count } = await until(
        async () => client.workflow.count(`WorkflowId = "${run}" AND CriticStatus = "passed"`),
        (found) => found.count === 1,
      );
      expect(count).toBe(1);
      const without = `WorkflowId = "${run}" AND CriticStatus = "passed" AND CriticWaitingSince IS NULL`;
      expect((await client.workflow.count(without)).count).toBe(1);
      expect((await handle.query<RunView>('view')).waitingSince).toBeUndefined();
    });
  });
});
