import { describe, expect, it } from 'vitest';
import { Pace } from '../../../domain/jobs/pace.ts';
import { judgeSilence } from '../../../domain/health/stall.ts';

const settings = { stall_factor: 10, stall_seconds: 60, first_row_seconds: 600, checkpoint_seconds: 180 };
const rows = (gap: number, count: number) => Array.from({ length: count }, (_, i) => ({ step: i, time: i * gap }));

describe('judgeSilence', () => {
  it.each([
    ['ten times the median step, above the floor', 120, rows(12, 5)],
    ['the floor, where steps are short', 60, rows(0.1, 5)],
    ['the long patience, before there are two rows', 600, rows(1, 1)],
    ['the long patience, when no row has a time', 600, [{ step: 1 }, { step: 2 }]],
  ])('waits for %s', (_sentence, seconds, seen) => {
    expect(judgeSilence(seconds - 0.1, Pace.of(seen), settings)).toBeUndefined();
    expect(judgeSilence(seconds, Pace.of(seen), settings)).toContain(`${seconds} s`);
  });

  it('goes by the median: one slow step (an evaluation) does not stretch it', () => {
    const slow = [...rows(12, 5), { step: 5, time: 1000 }, { step: 6, time: 1012 }];
    expect(judgeSilence(121, Pace.of(slow), settings)).toBe(
      'it runs and has written no step for 121 s, its own median is 12 s',
    );
  });
});
