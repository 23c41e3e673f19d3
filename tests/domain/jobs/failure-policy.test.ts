/** Failed attempts → what to do. */
import { describe, expect, it } from 'vitest';
import {
  type Decision,
  decide,
  defaultPolicy,
  emptyTally,
  type FailurePolicy,
  type PastAttempt,
  policyWith,
  renewedTally,
  type Tally,
  withAttempt,
} from '../../../domain/jobs/failure-policy.ts';
import type { JobClass } from '../../../domain/jobs/job-outcome.ts';
import { checkRecipe } from '../../../domain/recipe.ts';

function attempt(jobClass: JobClass, progress: number | null = 0, node = 'n1'): PastAttempt {
  return { jobClass, node, progress };
}

function attempts(count: number, jobClass: JobClass): PastAttempt[] {
  return Array.from({ length: count }, (_, i) => attempt(jobClass, (i + 1) * 10));
}

const limits = { maxAttempts: 6 };

/** The decision after the last of these attempts, and before them an operator's retry or nothing. */
function decideAfter(
  past: readonly PastAttempt[],
  { maxAttempts, policy = defaultPolicy }: { maxAttempts: number; policy?: FailurePolicy },
  before: Tally = emptyTally,
): Decision {
  const last = past.at(-1);
  if (last === undefined) throw new Error('no attempt');
  const tally = past.reduce((sum, one) => withAttempt(sum, one, policy), before);
  return decide(tally, last, { maxAttempts, policy });
}

/** An operator's retry after these attempts. */
function retried(past: readonly PastAttempt[]): Tally {
  return renewedTally(past.reduce((sum, one) => withAttempt(sum, one), emptyTally));
}

const windows = (count: number, step: number) =>
  Array.from({ length: count }, (_, i) => attempt('time-limit', (i + 1) * step));
const alike = (count: number, jobClass: JobClass, progress = 0) =>
  Array.from({ length: count }, () => attempt(jobClass, progress));

describe('decide', () => {
  it.each<[string, PastAttempt[], Partial<Decision>]>([
    [
      'a failed node is left out and the run goes on',
      [attempt('node-failed', 5, 'n7')],
      { action: 'retry', resume: true, excludeNodes: ['n7'] },
    ],
    [
      'a failed node without a name excludes nothing',
      [attempt('node-failed', 5, '')],
      { action: 'retry', excludeNodes: [] },
    ],
    ['a launch that failed is tried elsewhere', [attempt('launch-failed')], { action: 'retry', excludeNodes: ['n1'] }],
    ['and twice more, then a person looks', attempts(3, 'launch-failed'), { action: 'operator' }],
    [
      'a stuck job is tried elsewhere',
      [attempt('stalled', 9)],
      { action: 'retry', resume: true, excludeNodes: ['n1'] },
    ],
    ['and once more, then a person looks', attempts(3, 'stalled'), { action: 'operator' }],
    ['preempted: again, on any node', [attempt('preempted')], { action: 'retry', resume: true, excludeNodes: [] }],
    ['preempted forty times is no failure', attempts(40, 'preempted'), { action: 'retry' }],
    ['the time limit with progress: resume', [attempt('time-limit', 50)], { action: 'retry', resume: true }],
    ['the time limit without progress, once', [attempt('time-limit', 0)], { action: 'retry' }],
    [
      'the time limit without progress, twice',
      [attempt('time-limit', 0), attempt('time-limit', 0)],
      { action: 'operator', why: 'Two attempts in a row made no progress.' },
    ],
    [
      'no further than the checkpoint, twice',
      [attempt('time-limit', 50), attempt('time-limit', 50), attempt('time-limit', 50)],
      { action: 'operator' },
    ],
    [
      'no further once, then further',
      [attempt('time-limit', 50), attempt('time-limit', 50), attempt('time-limit', 60)],
      { action: 'retry' },
    ],
    [
      'no progress written is no progress',
      [attempt('checkpointed', null), attempt('checkpointed', null)],
      { action: 'operator' },
    ],
    ['host memory: once, with more', [attempt('out-of-memory')], { action: 'retry', changes: { memoryFactor: 1.5 } }],
    ['host memory again: a person', attempts(2, 'out-of-memory'), { action: 'operator', why: 'It happened 2 times.' }],
    [
      'GPU memory: half the micro-batch',
      [attempt('gpu-out-of-memory')],
      { action: 'retry', changes: { halveMicroBatch: true } },
    ],
    [
      'bad data: a person at once',
      [attempt('bad-data')],
      { action: 'operator', why: 'This is not retried by itself.' },
    ],
    ['bad configuration: a person at once', [attempt('bad-config')], { action: 'operator' }],
    ['cancelled by somebody: a person at once', [attempt('cancelled-by-other')], { action: 'operator' }],
    ['unknown: twice', attempts(2, 'unknown'), { action: 'retry' }],
    ['unknown: not thrice', attempts(3, 'unknown'), { action: 'operator' }],
    [
      'a failed postcondition starts afresh, once',
      [attempt('postcondition-failed')],
      { action: 'retry', resume: false },
    ],
    [
      'different failures are counted together',
      [...alike(2, 'unknown'), ...alike(2, 'lost'), ...alike(2, 'killed')],
      { action: 'operator', why: 'That was attempt 6 of at most 6.' },
    ],
    ['eight windows of 100 steps each are progress, not failure', windows(8, 100), { action: 'retry' }],
    ['a thousand windows as well, beyond any count of a class', windows(1000, 1), { action: 'retry' }],
    [
      'windows that got further are forgotten, the next two that do not ask',
      [...windows(20, 100), ...alike(2, 'time-limit', 2000)],
      { action: 'operator', why: 'Two attempts in a row made no progress.' },
    ],
    [
      'one window without progress, then a preemption, is not two',
      [...windows(8, 100), attempt('time-limit', 800), attempt('preempted', 800)],
      { action: 'retry' },
    ],
    [
      'a preemption in between does not hide that two windows made no progress',
      [...windows(8, 100), attempt('time-limit', 800), attempt('preempted', 800), attempt('time-limit', 800)],
      { action: 'operator' },
    ],
    [
      'preempted is never asked about, however many failures stand before it',
      [...alike(5, 'killed'), ...alike(2, 'preempted')].toSpliced(2, 3),
      { action: 'retry' },
    ],
    [
      'nor after so many that the next one that counts will ask',
      [...alike(2, 'unknown'), ...alike(2, 'lost'), attempt('killed'), attempt('preempted')],
      { action: 'retry' },
    ],
    ['preempted thousands of times without a step', alike(5000, 'preempted'), { action: 'retry' }],
    ['requeued twenty times without a step', alike(20, 'requeued'), { action: 'retry' }],
    ['requeued once more', alike(21, 'requeued'), { action: 'operator' }],
    [
      'failures of all kinds with progress between them are not counted together',
      [...alike(2, 'unknown', 5), ...alike(2, 'lost', 10), ...alike(2, 'killed', 15)],
      { action: 'retry' },
    ],
    [
      'nodes that fail now and then in a long training are left out, one after another',
      attempts(30, 'node-failed'),
      { action: 'retry' },
    ],
    ['nodes that fail six times without a step between ask', alike(6, 'node-failed'), { action: 'operator' }],
    [
      'memory that runs out again asks, with progress too: each time would be given more',
      attempts(2, 'out-of-memory'),
      { action: 'operator' },
    ],
    [
      'preemptions in between do not count',
      [...attempts(4, 'preempted'), ...attempts(2, 'killed')],
      { action: 'retry' },
    ],
  ])('%s', (_name, past, expected) => {
    expect(decideAfter(past, limits)).toMatchObject(expected);
  });

  it('one attempt allowed means no retry', () => {
    expect(decideAfter([attempt('killed')], { maxAttempts: 1 }).action).toBe('operator');
  });

  it('an operator’s policy replaces a rule', () => {
    const policy = { ...defaultPolicy, 'bad-data': { ...defaultPolicy['bad-data'], retries: 1 } };
    expect(decideAfter([attempt('bad-data')], { ...limits, policy }).action).toBe('retry');
  });

  it('is not asked about success', () => {
    const done = attempt('completed');
    expect(() => decide(emptyTally, done, limits)).toThrow('decide() is for failed attempts');
    expect(() => withAttempt(emptyTally, done)).toThrow('a tally is of failed attempts');
  });
});

describe('an operator’s retry', () => {
  it.each<[string, PastAttempt[], PastAttempt[], Partial<Decision>]>([
    ['begins a new count of attempts', alike(6, 'killed'), alike(2, 'killed'), { action: 'retry' }],
    ['begins a new count of each class', alike(3, 'unknown'), alike(2, 'unknown'), { action: 'retry' }],
    [
      'does not forget how far it got: two more windows that stay there ask',
      windows(5, 10),
      alike(2, 'time-limit', 50),
      { action: 'operator', why: 'Two attempts in a row made no progress.' },
    ],
    ['is followed by as many as before', alike(6, 'killed'), alike(3, 'killed'), { action: 'operator' }],
  ])('%s', (_name, before, past, expected) => {
    expect(decideAfter(past, limits, retried(before))).toMatchObject(expected);
  });
});

describe('a tally', () => {
  it('does not grow: a hundred thousand attempts are as small as ten', () => {
    const tally = [...windows(50_000, 1), ...alike(50_000, 'preempted')].reduce(
      (sum, one) => withAttempt(sum, one),
      emptyTally,
    );
    expect(JSON.stringify(tally).length).toBeLessThan(200);
  });
});

describe('policyWith', () => {
  it('changes what the recipe says, field by field, and nothing else', () => {
    const policy = policyWith({ 'node-failed': { exclude_node: false }, bug: { retries: 0 } });
    expect(policy['node-failed']).toEqual({ ...defaultPolicy['node-failed'], excludeNode: false });
    expect(policy.bug).toEqual({ ...defaultPolicy.bug, retries: 0 });
    expect({ ...policy, 'node-failed': 0, bug: 0 }).toEqual({ ...defaultPolicy, 'node-failed': 0, bug: 0 });
    expect(decideAfter([attempt('bug')], { ...limits, policy }).action).toBe('operator');
    expect(decideAfter([attempt('bug')], limits).action).toBe('retry');
  });

  it('is checked in the recipe: a class that does not exist is named', () => {
    const checked = checkRecipe({ retries: { policy: { 'node-faild': { retries: 1 } } } });
    expect(checked).toMatchObject({
      faults: expect.arrayContaining(['recipe.retries.policy.node-faild: unknown key']),
    });
  });
});
