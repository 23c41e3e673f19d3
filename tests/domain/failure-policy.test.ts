/** Failed attempts → what to do. */
import { describe, expect, it } from 'vitest';
import { type Decision, decide, defaultPolicy, type PastAttempt, policyWith } from '../../domain/failure-policy.ts';
import type { JobClass } from '../../domain/job-outcome.ts';
import { checkRecipe } from '../../domain/recipe.ts';

function attempt(jobClass: JobClass, progress: number | null = 0, node = 'n1'): PastAttempt {
  return { jobClass, evidence: 'why', node, progress, gpuHours: 1 };
}

function attempts(count: number, jobClass: JobClass): PastAttempt[] {
  return Array.from({ length: count }, (_, i) => attempt(jobClass, (i + 1) * 10));
}

const limits = { maxAttempts: 6 };

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
      [...attempts(2, 'unknown'), ...attempts(2, 'lost'), ...attempts(2, 'killed')],
      { action: 'operator', why: 'That was attempt 6 of at most 6.' },
    ],
    [
      'preemptions in between do not count',
      [...attempts(4, 'preempted'), ...attempts(2, 'killed')],
      { action: 'retry' },
    ],
  ])('%s', (_name, past, expected) => {
    expect(decide(past, limits)).toMatchObject(expected);
  });

  it('one attempt allowed means no retry', () => {
    expect(decide([attempt('killed')], { maxAttempts: 1 }).action).toBe('operator');
  });

  it('an operator’s policy replaces a rule', () => {
    const policy = { ...defaultPolicy, 'bad-data': { ...defaultPolicy['bad-data'], retries: 1 } };
    expect(decide([attempt('bad-data')], { ...limits, policy }).action).toBe('retry');
  });

  it('is not asked about success, nor about nothing', () => {
    expect(() => decide([], limits)).toThrow('decide() is for failed attempts');
    expect(() => decide([attempt('completed')], limits)).toThrow('decide() is for failed attempts');
  });
});

describe('policyWith', () => {
  it('changes what the recipe says, field by field, and nothing else', () => {
    const policy = policyWith({ 'node-failed': { exclude_node: false }, bug: { retries: 0 } });
    expect(policy['node-failed']).toEqual({ ...defaultPolicy['node-failed'], excludeNode: false });
    expect(policy.bug).toEqual({ ...defaultPolicy.bug, retries: 0 });
    expect({ ...policy, 'node-failed': 0, bug: 0 }).toEqual({ ...defaultPolicy, 'node-failed': 0, bug: 0 });
    expect(decide([attempt('bug')], { ...limits, policy }).action).toBe('operator');
    expect(decide([attempt('bug')], limits).action).toBe('retry');
  });

  it('is checked in the recipe: a class that does not exist is named', () => {
    const checked = checkRecipe({ retries: { policy: { 'node-faild': { retries: 1 } } } });
    expect(checked).toMatchObject({
      faults: expect.arrayContaining(['recipe.retries.policy.node-faild: unknown key']),
    });
  });
});
