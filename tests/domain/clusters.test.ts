import { describe, expect, it } from 'vitest';
import { caretakerId, clusterOfQueue, isClusterName, type QueueUse, queueOf } from '../../domain/clusters.ts';
import { taskQueues } from '../../domain/names.ts';

describe('a cluster', () => {
  it('without a name has the queues and the caretaker of releases before', () => {
    for (const [use, name] of Object.entries(taskQueues)) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      expect(queueOf(use as QueueUse, undefined)).toBe(name);
      expect(clusterOfQueue(name)).toBeUndefined();
    }
    expect(caretakerId(undefined)).toBe('critic-caretaker');
  });

  it('with a name has it in those of its own, from which it is read back', () => {
    expect(queueOf('watch', 'a.100')).toBe('critic-watch@a.100');
    expect(clusterOfQueue('critic-watch@a.100')).toBe('a.100');
    expect(caretakerId('a.100')).toBe('critic-caretaker@a.100');
  });

  it.each(['', '@', 'a@b', 'a b', "a'b", '.a', 'a..b', 'x'.repeat(25)])('has no name like "%s"', (name) => {
    expect(isClusterName(name)).toBe(false);
  });
});
