/** What people are told of a scoring, through the same observer as of a run: that it waits, that it failed; not that it has its scores. */
import { ApplicationFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { scorings } from '../../cli/commands/scoring/scorings.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import { stubs, until, withWorkers } from './harness.ts';
import { orderOf, start } from './scorings.ts';

/** All that is told of it once `isSeen` holds of that; at most 30 s. */
async function told(client: Client, id: string, isSeen: (notices: Notice[]) => boolean): Promise<Notice[]> {
  const kept = new Map<string, Notice>();
  const begun = async () => new Date(Date.now() - 3_600_000);
  const observer = new RunObserver(client, { begun, put: async (notice) => kept.set(notice.id, notice) });
  return until(async () => {
    await observer.look(new Date());
    return [...kept.values()].filter(({ run }) => run === id);
  }, isSeen);
}

describe('people are told', () => {
  it('that a scoring waits for them, and with what to type', async () => {
    const id = 'wf-score-asks';
    const { activities } = stubs({
      submitJob: async () => {
        throw ApplicationFailure.nonRetryable('no such partition', 'Refused');
      },
    });
    await withWorkers(activities, id, async (client) => {
      const handle = await start(client, orderOf(id));
      const [asked] = await told(client, id, ({ length }) => length > 0);
      expect(asked).toMatchObject({
        kind: 'waiting',
        title: `scoring ${id} waits for an answer about predict-pairs`,
        text: expect.stringContaining('no such partition'),
      });
      expect(asked?.commands.join()).toContain(`npm run critic -- answer ${id} predict-pairs`);
      await handle.executeUpdate('answer', { args: [{ stage: 'predict-pairs', action: 'abort' }] });
      await expect(handle.result()).rejects.toThrow('failed');
      const ended = await told(client, id, (notices) => notices.some(({ kind }) => kind === 'failed'));
      expect(ended).toMatchObject([
        { title: `scoring ${id} has failed`, commands: [`npm run critic -- score --resume ${id}`] },
      ]);
    });
  });

  it('nothing of a scoring that has its scores, whose end the server already lists', async () => {
    const id = 'wf-score-quiet';
    const { activities } = stubs({});
    await withWorkers(activities, id, async (client) => {
      await (await start(client, orderOf(id))).result();
      const query = `WorkflowId = '${id}' AND ExecutionStatus = 'Completed'`;
      await until(
        async () => client.workflow.count(query),
        ({ count }) => count === 1,
      );
      expect(await told(client, id, () => true)).toEqual([]);
      const listed = await scorings(client, { limit: 50 });
      expect(listed).toContainEqual(expect.objectContaining({ scoring: id, status: 'scored' }));
    });
  });
});
