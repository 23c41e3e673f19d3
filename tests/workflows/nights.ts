/** What tests of nights share. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Activities } from '../../activities/index.ts';
import { taskQueues } from '../../domain/names.ts';
import type { Night } from '../../domain/nights/night.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import type { runNight } from '../../workflows/nights/run-night.ts';
import { stubs, withWorkers } from './harness.ts';
import { aNight } from '../domain/night-fixture.ts';

/** A night at 01:30 UTC that does nothing special but what `fields` say. */
export const night = (name: string, fields: Partial<Night> = {}): Night => aNight({ name, ...fields });

/** Ends by cancellation only. */
export async function forever(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(50);
  }
}

/** Begins a night by hand and gives what it returned, what people were told, and the calls of activities. */
export async function live(
  given: Night,
  overrides: Partial<Activities> = {},
  meanwhile: (client: Client, run: string) => Promise<void> = async () => undefined,
) {
  const told: Notice[] = [];
  const tellPeople = async ({ notice }: { notice: Notice }) => {
    told.push(notice);
    return 'put' as const;
  };
  const { activities, calls } = stubs({ tellPeople, ...overrides });
  let result: unknown;
  const id = `night-of-${given.name}`;
  await withWorkers(activities, id, async (client) => {
    const handle = await client.workflow.start<typeof runNight>('runNight', {
      workflowId: id,
      taskQueue: taskQueues.workflows,
      args: [given],
    });
    await meanwhile(client, `${given.name}-run`);
    result = await handle.result();
  });
  return { result, told, calls };
}
