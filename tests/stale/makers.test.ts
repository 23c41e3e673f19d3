import { describe, expect, it } from 'vitest';
import { claimArtifact, freeArtifact, makerOf } from '../../activities/store/makers.ts';
import { viewed } from './view.ts';

const wanted = { stage: 'sft', key: 'k' } as const;

describe('who makes an artifact, seen late by another machine', () => {
  it('is one run, though each machine had seen that nobody makes it', async () => {
    const { a, b } = viewed(60, 'a', 'b');
    const open = async () => true;
    expect(await makerOf(a, wanted)).toBeUndefined();
    expect(await makerOf(b, wanted)).toBeUndefined();
    expect(await claimArtifact(a, wanted, 'run-a', open)).toBe('run-a');
    expect(await claimArtifact(b, wanted, 'run-b', open)).toBe('run-a');
    await freeArtifact(a, wanted, 'run-a');
    expect(await claimArtifact(b, wanted, 'run-b', open)).toBe('run-b');
    expect(await claimArtifact(a, wanted, 'run-a', open)).toBe('run-b');
    // The run on b is over: one takes it over, and b's old view changes nothing.
    expect(await claimArtifact(a, wanted, 'run-c', async (run) => run !== 'run-b')).toBe('run-c');
    expect(await claimArtifact(b, wanted, 'run-d', async (run) => run !== 'run-b')).toBe('run-c');
  });
});
