/** A bug in the workflow's code: it fails the workflow's task, and a mended worker goes on where the run stands. */
import { CancelledFailure, Context } from '@temporalio/activity';
import { expect, it } from 'vitest';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { artifact, histories, start, stubs, until, withWorkers } from './harness.ts';

it('a bug in one stage cancels nothing of the others', { timeout: 60_000 }, async () => {
  const run = 'wf-bug';
  let synthesis = 'not begun';
  const { activities } = stubs({
    synthesizeCritiques: async () => {
      synthesis = 'asks';
      try {
        for (;;) {
          Context.current().heartbeat();
          await Context.current().sleep(50);
        }
      } catch (error) {
        if (error instanceof CancelledFailure) synthesis = `ended: ${error.message}`;
        throw error;
      }
    },
    // The order of a prediction reads these counts.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what no activity returns
    writePrompts: async () => ({ ...artifact('prompts'), counts: undefined }) as unknown as ArtifactRef,
  });
  await withWorkers(activities, [], async (client) => {
    const handle = await start(client, run);
    const types = async () =>
      (await histories(client, run)).flatMap(
        ({ events }) => events?.map((e) => e.workflowTaskFailedEventAttributes?.failure?.message ?? '') ?? [],
      );
    await until(types, (messages) => messages.some((message) => message.includes('undefined')));
    const seen = synthesis;
    const { status } = await handle.describe();
    await handle.terminate();
    expect(seen).toBe('asks');
    expect(status.name).toBe('RUNNING');
  });
});
