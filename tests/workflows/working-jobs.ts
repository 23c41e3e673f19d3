/** Jobs that work until they are told to end, and what tests ask and tell of their run. */
import { Context } from '@temporalio/activity';
import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import type { Activities } from '../../activities/index.ts';
import type { AttemptChanges } from '../../domain/jobs/job-spec.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { completed, stubs, until } from './harness.ts';

const ended = { state: 'COMPLETED', reason: '', node: 'n1', over: true };

/** Jobs of `stage` work until they are told to end, and then have a checkpoint, `times` times. What each attempt was given. */
export function working(stages: readonly string[], overrides: Partial<Activities> = {}, times = 1) {
  const asked = new Set<string>();
  const given: Record<string, AttemptChanges> = {};
  const isLong = (name: string, stage: string, attempt: number) =>
    stages.includes(stage) && attempt <= times && !asked.has(name);
  const stub = stubs({
    prepareAttempt: async ({ order, attempt, changes }) => {
      given[`${order.stage} a${attempt}`] = changes;
      return { name: `critic-${order.run}-${order.stage}-a${attempt}`, directory: '/a', attempt };
    },
    watchJob: async ({ stage, attempt }) => {
      while (isLong(attempt.name, stage, attempt.attempt)) {
        Context.current().heartbeat();
        await Context.current().sleep(50);
      }
      return ended;
    },
    endJob: async ({ name }) => {
      asked.add(name);
      return { jobId: '101' };
    },
    collectAttempt: async ({ order, prepared }) =>
      asked.has(prepared.name)
        ? {
            ...completed,
            jobClass: 'checkpointed',
            evidence: 'it checkpointed',
            checkpoint: `/c/${order.stage}-${prepared.attempt}`,
            progress: 5,
          }
        : completed,
    ...overrides,
  });
  return { ...stub, given, asked };
}

export const look = (client: Client, run: string) => client.workflow.getHandle(run).query<RunView>('view');
export const tell = async (client: Client, run: string, update: string, arg?: object | string) =>
  client.workflow.getHandle(run).executeUpdate<string, [unknown]>(update, { args: [arg] });
export const status = async (client: Client, run: string) =>
  (await client.workflow.getHandle(run).describe()).searchAttributes['CriticStatus'];
export const lineOf = (view: RunView, stage: string) => view.stages.find((line) => line.stage === stage);

export async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown);
  if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? '';
  throw new Error('it was taken', { cause: error });
}

/** SFT and the predictions of the base run side by side: both are watched now. */
export async function bothWatched(calls: string[]) {
  await until(
    async () => calls.includes('watchJob sft') && calls.includes('watchJob predict-base'),
    (both) => both,
  );
}
