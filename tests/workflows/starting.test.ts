/** Starting runs on a real Temporal server, without a worker. */
import { Client, Connection } from '@temporalio/client';
import { describe, expect, inject, it } from 'vitest';
import { startRun } from '../../cli/commands/run.ts';
import { plan } from './harness.ts';

describe('starting', () => {
  it('five runs of one recipe in one second gives five runs, in the ids of the seconds after it', async () => {
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    const client = new Client({ connection });
    const { recipe } = plan('unused');
    const now = new Date('2026-11-23T19:00:00Z');
    try {
      const runs = await Promise.all(
        Array.from({ length: 5 }, async () => startRun(client, { recipe, owner: 'ada' }, now)),
      );
      const seconds = [0, 1, 2, 3, 4];
      expect(runs.toSorted()).toEqual(seconds.map((second) => `test-20261123-19000${second}`));
      const { searchAttributes } = await client.workflow.getHandle('test-20261123-190004').describe();
      expect(searchAttributes).toMatchObject({ CriticRecipe: ['test'], CriticOwner: ['ada'] });
      for (const run of runs) await client.workflow.getHandle(run).terminate('the test is over');
      // An id stays taken when its run is over: its folder in the store does too.
      const after = await startRun(client, { recipe, owner: 'ada' }, now);
      expect(after).toBe('test-20261123-190005');
      await client.workflow.getHandle(after).terminate('the test is over');
    } finally {
      await connection.close();
    }
  });
});
