/** Pending reasons: what passes, and what a person must mend. */
import { describe, expect, it } from 'vitest';
import { judgePendingReason, LastingReason, unknownReasonMinutes } from '../../../domain/jobs/pending-reason.ts';

describe('waits', () => {
  it.each([
    '',
    'None',
    'Priority',
    'Resources',
    'BeginTime',
    'Dependency',
    'Reservation',
    'Licenses',
    'JobArrayTaskLimit',
    'AssocGrpGRES',
    'AssocGrpCPUMinutesLimit',
    'QOSGrpNodeLimit',
    'QOSMaxJobsPerUserLimit',
    'SchedDefer',
    'SomethingSlurmWillSayIn2028',
  ])('%j', (reason) => {
    expect(judgePendingReason(reason)).toEqual({ kind: 'wait' });
  });
});

describe('is stuck, with a sentence that begins with the reason', () => {
  it.each([
    ['JobHeldAdmin', 'scontrol release'],
    ['JobHeldUser', 'scontrol release'],
    ['JobHoldMaxRequeue', 'requeued too often'],
    ['launch failed requeued held', 'failed launch'],
    ['job_requeued_in_held_state', 'failed launch'],
    ['DependencyNeverSatisfied', 'can never be met'],
    ['PartitionTimeLimit', 'time limit'],
    ['PartitionNodeLimit', 'partition'],
    ['PartitionDown', 'partition'],
    ['PartitionInactive', 'partition'],
    ['BadConstraints', 'not allowed'],
    ['InvalidAccount', 'not allowed'],
    ['InvalidQOS', 'not allowed'],
    ['QOSNotAllowed', 'not allowed'],
    ['AccountNotAllowed', 'not allowed'],
    ['ReqNodeNotAvail, UnavailableNodes:a100-0', 'not available'],
    ['AssocMaxWallDurationPerJobLimit', 'lower its time limit'],
    ['QOSMaxWallDurationPerJob', 'lower its time limit'],
    ['QOSMaxNodePerJobLimit', 'lower its time limit'],
  ])('%s', (reason, words) => {
    const verdict = judgePendingReason(reason);
    expect(verdict).toMatchObject({ kind: 'stuck' });
    expect(verdict).toHaveProperty('sentence', expect.stringContaining(`pending (${reason}): `));
    expect(verdict).toHaveProperty('sentence', expect.stringContaining(words));
  });
});

describe('a reason that nobody here has heard of', () => {
  const lastedMs = unknownReasonMinutes * 60_000;

  it.each(['PartitionConfig', 'SomethingSlurmWillSayIn2028', 'Nodes required for job are DOWN, DRAINED or reserved'])(
    '%s waits, and is told once it has lasted',
    (reason) => {
      expect(judgePendingReason(reason, lastedMs - 1)).toEqual({ kind: 'wait' });
      expect(judgePendingReason(reason, lastedMs)).toEqual({
        kind: 'stuck',
        sentence: expect.stringContaining(`pending (${reason}) for more than 15 minutes: `),
      });
      // The sentence stays the same: it is told once.
      expect(judgePendingReason(reason, lastedMs * 9)).toEqual(judgePendingReason(reason, lastedMs));
    },
  );

  it('stays told by a watcher that has just begun', () => {
    const told = judgePendingReason('PartitionConfig', lastedMs);
    const shown = told.kind === 'stuck' ? told.sentence : '';
    expect(judgePendingReason('PartitionConfig', 0, shown)).toEqual(told);
    expect(judgePendingReason('AnotherNewOne', 0, shown)).toEqual({ kind: 'wait' });
    expect(judgePendingReason('Priority', 0, shown)).toEqual({ kind: 'wait' });
  });

  it.each([
    '',
    'None',
    'Priority',
    'Resources',
    'Dependency',
    'QOSGrpNodeLimit',
    'QOSMaxJobsPerUserLimit',
    'AssocMaxJobsLimit',
  ])('%j is no such reason: it waits for a week', (reason) => {
    expect(judgePendingReason(reason, 7 * 24 * 3_600_000)).toEqual({ kind: 'wait' });
  });

  it('has lasted since it came, not since another one did', () => {
    const lasting = new LastingReason();
    const looks = [
      ['Priority', 1_000],
      ['Priority', 5_000],
      ['PartitionConfig', 6_000],
      ['PartitionConfig', 9_000],
      ['Priority', 10_000],
    ] as const;
    expect(looks.map(([reason, at]) => lasting.look(reason, at))).toEqual([0, 4_000, 0, 3_000, 0]);
  });
});
