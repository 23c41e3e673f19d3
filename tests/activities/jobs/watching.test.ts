/** Watching a job that stays pending for a reason that nobody here has heard of. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PolledState } from '../../../activities/jobs/polled-state.ts';
import { createWatchActivities } from '../../../activities/jobs/watching.ts';
import { judgePendingReason } from '../../../domain/jobs/pending-reason.ts';
import { activityEnvironment, inActivity, sftOrder, temporaryFolder } from '../fixtures.ts';

const minute = 60_000;

/** Watches a pending job that the workflow knows as such; `reason` is read at each look. */
async function watching(reason: () => string, stuck?: string) {
  const state = (): PolledState => {
    const job = {
      id: '7',
      name: 'critic-r-sft-a1',
      state: 'PENDING',
      flags: [],
      nodes: [],
      restartCount: 0,
      reason: reason(),
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only these fields are read
    return { kind: 'known', job } as unknown as PolledState;
  };
  const poller = { watch: () => ({ state, hurry: () => undefined, close: () => undefined }) };
  const all = { poller, job: { fileIntervalMs: 10 } };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = all as unknown as Parameters<typeof createWatchActivities>[0];
  const attempt = { name: 'critic-r-sft-a1', directory: await temporaryFolder(), attempt: 1 };
  const { stage, watch } = sftOrder('r');
  const known = { state: 'PENDING', told: [], ...(stuck === undefined ? {} : { stuck }) };
  const input = { attempt, jobId: '7', stage, totalSteps: 10, watch, known };
  const environment = activityEnvironment();
  let seen: unknown;
  const done = inActivity(environment.env, async () => createWatchActivities(deps).watchJob(input)).then(
    (found) => (seen = found),
    () => undefined,
  );
  return {
    /** What it has returned by now; a few looks lie between. */
    seen: async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return seen;
    },
    end: async () => {
      environment.env.cancel();
      await done;
    },
  };
}

describe('a job that is pending', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: 0 }));
  afterEach(() => void vi.useRealTimers());

  it('for an unknown reason is told as stuck after a quarter of an hour, not before', async () => {
    const { seen, end } = await watching(() => 'PartitionConfig');
    await seen();
    vi.setSystemTime(14 * minute);
    expect(await seen()).toBeUndefined();
    vi.setSystemTime(15 * minute);
    expect(await seen()).toMatchObject({ over: false, stuck: expect.stringContaining('pending (PartitionConfig)') });
    await end();
  });

  it('and was told as stuck stays so for the next watcher', async () => {
    const told = judgePendingReason('PartitionConfig', 15 * minute);
    const { seen, end } = await watching(() => 'PartitionConfig', told.kind === 'stuck' ? told.sentence : '');
    await seen();
    vi.setSystemTime(60 * minute);
    expect(await seen()).toBeUndefined();
    await end();
  });

  it('for one unknown reason after another is not told while none of them lasts', async () => {
    let reason = 'OneNewReason';
    const { seen, end } = await watching(() => reason);
    await seen();
    vi.setSystemTime(10 * minute);
    reason = 'AnotherNewReason';
    await seen();
    vi.setSystemTime(20 * minute);
    expect(await seen()).toBeUndefined();
    await end();
  });
});
