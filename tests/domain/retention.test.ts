import { describe, expect, it } from 'vitest';
import {
  cutoffOf,
  dayMs,
  keptCheckpoints,
  type KnownArtifact,
  neededKeys,
  oldestFirst,
} from '../../domain/keeping/retention.ts';

const key = (n: number) => String(n).padStart(32, '0');
const artifact = (n: number, usedAt: number, from: number[] = []): KnownArtifact => ({
  stage: 'sft',
  key: key(n),
  bytes: 10,
  usedAt,
  ingredients: { inputs: Object.fromEntries(from.map((one) => [`i${one}`, key(one)])), params: { rate: 0.1 } },
});

describe('what is needed', () => {
  it('was used within a day, or since a day before the oldest run began that needs something', () => {
    const now = 100 * dayMs;
    const run = (since: number) => ({ run: `r${since}`, since: since * dayMs, why: 'goes on' });
    expect(cutoffOf([], now)).toEqual({ at: 99 * dayMs });
    expect(cutoffOf([run(90), run(80), run(95)], now)).toEqual({ at: 79 * dayMs, by: run(80) });
  });

  it('needs all that it was made from, at any depth', () => {
    const all = [artifact(1, 0), artifact(2, 0, [1]), artifact(3, 50, [2]), artifact(4, 0, [1])];
    expect([...neededKeys(all, new Set(), 40)].toSorted()).toEqual([key(1), key(2), key(3)]);
    expect([...neededKeys(all, new Set([key(4), key(9)]), 60)].toSorted()).toEqual([key(1), key(4)]);
  });

  it('stays, and of the rest the longest unused goes first, until the goal is reached', () => {
    const all = [artifact(1, 30), artifact(2, 10), artifact(3, 20), artifact(4, 5)];
    const keys = (bytes: number) => oldestFirst(all, new Set([key(4)]), bytes).map((one) => one.key);
    expect(keys(0)).toEqual([]);
    expect(keys(10)).toEqual([key(2)]);
    expect(keys(11)).toEqual([key(2), key(3)]);
    expect(keys(1000)).toEqual([key(2), key(3), key(1)]);
  });
});

describe('checkpoints that are kept', () => {
  const at = (attempt: number, step: number, score?: number) => {
    return { path: `a${attempt}/${step}`, attempt, step, ...(score === undefined ? {} : { score }) };
  };

  it('are the last one of the newest attempt, the best of any attempt, and those in use', () => {
    const all = [at(1, 4, 0.9), at(1, 8, 0.5), at(2, 2), at(2, 6, 0.7), at(1, 2)];
    expect(keptCheckpoints(all, new Set(['a1/2', 'elsewhere']))).toEqual(new Set(['a2/6', 'a1/4', 'a1/2']));
    expect(keptCheckpoints([], new Set(['elsewhere']))).toEqual(new Set());
  });
});
