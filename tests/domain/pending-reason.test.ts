/** Pending reasons: what passes, and what a person must mend. */
import { describe, expect, it } from 'vitest';
import { judgePendingReason } from '../../domain/pending-reason.ts';

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
