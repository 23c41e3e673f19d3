/** What tests of nights share: a store, a recipe, and a Temporal that knows what the test says. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { stringify } from 'yaml';
import { translatedAll } from '../../../activities/failure.ts';
import { createNightActivities } from '../../../activities/nights/nights.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Night } from '../../../domain/nights/night.ts';
import { inActivity, makePlan, temporaryFolder } from '../fixtures.ts';
import { aNight } from '../../domain/night-fixture.ts';

export const at = '2026-11-28T01:30:00.000Z';
export let root: string;
export let source: string;
export let night: Night;
/** Temporal's status of each workflow; absent: it knows no such workflow. */
export let status: Record<string, string>;
export let says: Record<string, string>;
export let calls: string[];
/** Workflows whose code cannot go on. */
export let stuck: Set<string>;
let deaf = 0;

/** A new store, a folder with a recipe, and a Temporal that knows nothing. */
export async function freshWorld(): Promise<void> {
  root = await temporaryFolder();
  source = await temporaryFolder();
  [status, says, calls, stuck, deaf] = [{}, {}, [], new Set(), 0];
  await mkdir(join(source, 'data'));
  await mkdir(join(source, 'model'));
  const { dataset: _, ...recipe } = makePlan('/data').recipe;
  await writeFile(join(source, 'r.yaml'), stringify({ ...recipe, dataset: 'data', base_model: 'model' }));
  night = aNight({ source, at_deadline: 'stop', deadline: '07:00', owner: 'o' });
}

/** So many updates are not accepted in time. */
export function beDeaf(times: number): void {
  deaf = times;
}

/** `canPause`: its runs know the update. */
export function activities(canPause = true, cluster?: string) {
  const getHandle = (id: string) => ({
    describe: async () => {
      if (status[id] === undefined) throw new WorkflowNotFoundError('not found', id, undefined);
      const raw = { pendingWorkflowTask: { attempt: stuck.has(id) ? 9 : 1 } };
      return { status: { name: status[id] }, searchAttributes: { CriticStatus: [says[id] ?? 'running'] }, raw };
    },
    executeUpdate: async (name: string) => {
      calls.push(`${name} ${id}`);
      if (deaf-- > 0) throw Object.assign(new Error('late'), { name: 'WorkflowUpdateRPCTimeoutOrCancelledError' });
      if (!canPause) throw Object.assign(new Error('no'), { name: 'WorkflowUpdateFailedError' });
      says[id] = 'paused';
    },
    cancel: async () => {
      calls.push(`cancel ${id}`);
      status[id] = 'CANCELED';
    },
  });
  const schedule = {
    getHandle: (id: string) => ({ pause: async (note: string) => void calls.push(`pause ${id} ${note}`) }),
  };
  const withAbortSignal = (_signal: unknown, work: () => unknown) => work();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = {
    workflow: { getHandle },
    schedule,
    withAbortSignal,
    withDeadline: withAbortSignal,
  } as unknown as Client;
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const own = translatedAll(
    createNightActivities({ store: new ArtifactStore(root), ...(cluster === undefined ? {} : { cluster }) }),
  );
  return {
    take: (workflow: string) => inActivity(env, () => own.takeNightTurn({ night: 'n', workflow, at })),
    queue: (workflow: string, time: string) =>
      inActivity(env, () => own.takeNightTurn({ night: 'n', workflow, at: time, queues: true })),
    wait: (workflow: string, known?: string | null) =>
      inActivity(env, () =>
        own.awaitNightTurn({ night: 'n', workflow, ...(known === undefined ? {} : { run: known }) }),
      ),
    begin: (turn: number, more: { taken?: string[]; resumes?: string } = {}) =>
      inActivity(env, () => own.beginNight({ night, at, turn, taken: [], ...more })),
    end: (turn: number, id: string | null, verdict: 'stopped' | 'passed' | 'failed' | 'wrong-recipe') =>
      inActivity(env, () => own.endNight({ night: 'n', turn, run: id, verdict, nothingNew: false })),
    stop: (id: string) => inActivity(env, () => own.stopRun({ run: id, by: 'b', note: 'n' })),
    check: (value: unknown) => inActivity(env, () => own.checkNight({ night: value })),
    pause: () => inActivity(env, () => own.pauseNight({ night: 'n', note: 'why' })),
  };
}
