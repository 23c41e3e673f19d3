import { describe, expect, test } from 'vitest';
import { describeState, expandHostlist, isLaunchFailure, isTerminal } from '../../src/index.ts';
import { splitState } from '../../src/states.ts';

describe('a job is over', () => {
  test.each([
    ['when it completed', ['COMPLETED'], true],
    ['when it was preempted for good', ['PREEMPTED'], true],
    ['when it failed at launch', ['FAILED', 'LAUNCH_FAILED'], true],
    ['when it ran out of memory', ['OUT_OF_MEMORY'], true],
    ['not while it is pending', ['PENDING'], false],
    ['not while it is suspended', ['SUSPENDED'], false],
    ['not while its nodes are still busy', ['COMPLETED', 'COMPLETING'], false],
    ['not when v0.0.38 says only COMPLETING', ['COMPLETING'], false],
    ['not when it comes back under the same id', ['NODE_FAIL', 'REQUEUED'], false],
    ['not when it was requeued and held', ['FAILED', 'REQUEUE_HOLD'], false],
    ['not when it waits as a special exit', ['FAILED', 'SPECIAL_EXIT'], false],
    ['not while files are staged out', ['COMPLETED', 'STAGE_OUT'], false],
    ['not while a signal is on its way', ['CANCELLED', 'SIGNALING'], false],
    ['not in a state that nobody knows yet', ['HIBERNATING'], false],
    ['not when the server prints nothing', [], false],
  ])('%s', (_, words, over) => {
    expect(isTerminal(splitState(words))).toBe(over);
  });
});

describe('a state', () => {
  test.each([
    ['is the base, wherever it stands', ['COMPLETING', 'FAILED'], { state: 'FAILED', flags: ['COMPLETING'] }],
    ['is UNKNOWN when a flag hides it', ['COMPLETING'], { state: 'UNKNOWN', flags: ['COMPLETING'] }],
    ['of the future is kept as a string', ['HIBERNATING'], { state: 'HIBERNATING', flags: [] }],
    ['keeps flags of the future', ['RUNNING', 'EXPEDITING', 'NEW'], { state: 'RUNNING', flags: ['EXPEDITING', 'NEW'] }],
    ['of a revoked sibling is hidden too', ['REVOKED'], { state: 'UNKNOWN', flags: ['REVOKED'] }],
    ['is UNKNOWN when nothing was printed', [], { state: 'UNKNOWN', flags: [] }],
  ])('%s', (_, words, expected) => {
    expect(splitState(words)).toEqual(expected);
  });

  test('is told to people in one word, or with its flags', () => {
    expect(describeState({ state: 'RUNNING', flags: [] })).toBe('RUNNING');
    expect(describeState({ state: 'COMPLETED', flags: ['COMPLETING'] })).toBe('COMPLETED+COMPLETING');
    expect(describeState({ state: 'UNKNOWN', flags: ['COMPLETING'] })).toBe('COMPLETING');
    expect(describeState({ state: 'UNKNOWN', flags: [] })).toBe('UNKNOWN');
  });
});

describe('a launch failure', () => {
  const fine = { flags: [], reason: '', exit: { kind: 'exited', code: 1, signal: undefined } } as const;
  test.each([
    ['shows as signal 53', { ...fine, flags: [], exit: { kind: 'signaled', code: undefined, signal: 53 } }, true],
    ['shows as a reason', { ...fine, flags: [], reason: 'JobLaunchFailure' }, true],
    ['shows as a flag', { ...fine, flags: ['LAUNCH_FAILED'] }, true],
    ['is not an ordinary exit code', { ...fine, flags: [] }, false],
  ] as const)('%s', (_, job, expected) => {
    expect(isLaunchFailure({ ...job, flags: [...job.flags] })).toBe(expected);
  });
});

describe('a hostlist', () => {
  test.each([
    ['of one name is that name', 'node7', ['node7']],
    ['with a range is expanded', 'a[1-3,7]', ['a1', 'a2', 'a3', 'a7']],
    ['keeps leading zeros', 'a-[08-10]', ['a-08', 'a-09', 'a-10']],
    ['of several names is split outside brackets only', 'a[1,2],b,c-[3]', ['a1', 'a2', 'b', 'c-3']],
    ['with two brackets multiplies', 'r[1-2]n[1-2]', ['r1n1', 'r1n2', 'r2n1', 'r2n2']],
    ['with text after the bracket keeps it', 'a[1-2]-ib', ['a1-ib', 'a2-ib']],
    ['that is empty names nobody', '', []],
    ['of slurmdbd for a job that never ran names nobody', 'None assigned', []],
    ['that is null in C names nobody', '(null)', []],
    ['that cannot be read stays as it is', 'a[x-y]', ['a[x-y]']],
    ['whose range runs backwards stays as it is', 'a[3-1]', ['a[3-1]']],
  ])('%s', (_, text, expected) => {
    expect(expandHostlist(text)).toEqual(expected);
  });
});
