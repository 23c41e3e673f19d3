import { describe, expect, it } from 'vitest';
import { StallClock } from '../../../activities/jobs/watching/stall-clock.ts';

function clock() {
  const time = { ms: 0 };
  const stall = new StallClock(() => time.ms);
  const after = (seconds: number, running: boolean, rows: number) => {
    time.ms += seconds * 1000;
    return stall.look(running, rows);
  };
  return after;
}

describe('StallClock', () => {
  it('adds up the seconds between looks that find no new row, and starts anew with each row', () => {
    const after = clock();
    expect([after(0, true, 3), after(1, true, 3), after(2, true, 3), after(1, true, 4), after(1, true, 4)]).toEqual([
      0, 1, 3, 0, 1,
    ]);
  });

  it('does not count time in which the job was not known to run', () => {
    const after = clock();
    expect([after(0, true, 1), after(4, true, 1), after(4, false, 1), after(4, true, 1), after(4, true, 1)]).toEqual([
      0, 4, 0, 0, 4,
    ]);
  });

  it('takes a long pause between two looks for its own, not for the job’s', () => {
    const after = clock();
    expect([after(0, true, 1), after(3600, true, 1)]).toEqual([0, 5]);
  });
});
