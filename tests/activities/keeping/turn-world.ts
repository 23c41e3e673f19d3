/** Turns of one limit on a store, and a Temporal that says what became of the runs. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createTurnActivities } from '../../../activities/keeping/turns.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { inActivity } from '../fixtures.ts';

export function turnWorld(root: string, statusOf: (run: string) => string | undefined, atMost = 1) {
  const getHandle = (run: string) => ({
    describe: async () => {
      const name = statusOf(run);
      if (name === undefined) throw new WorkflowNotFoundError('not found', run, undefined);
      return { status: { name } };
    },
  });
  const own = { workflow: { getHandle }, withAbortSignal: (_: unknown, work: () => unknown) => work() };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = own as unknown as Client;
  const made = createTurnActivities({ store: new ArtifactStore(root) });
  const turns = [{ name: 'grpo@nlp', atMost }];
  const environment = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const input = (run: string) => ({ turns, run, stage: 'grpo' as const });
  return {
    take: (run: string, env = environment()) => inActivity(env, () => made.takeTurn(input(run))),
    leave: (run: string) => inActivity(environment(), () => made.leaveTurn(input(run))),
    environment,
  };
}
