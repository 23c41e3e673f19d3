/** The recorded trainings: sick ones are found while there is something to save, and no healthy one is called sick. */
import { describe, expect, it } from 'vitest';
import { judgeTrace } from '../../bench/health/judging.ts';
import { readTraces } from '../../bench/health/trace.ts';

const judged = readTraces().map(judgeTrace);
const these = (is: 'healthy' | 'sick') => judged.filter((one) => one.is === is);

describe('recorded trainings', () => {
  it('are of both kinds', () => {
    expect(these('sick').length).toBeGreaterThanOrEqual(1);
    expect(these('healthy').length).toBeGreaterThanOrEqual(4);
  });

  it.each(these('sick'))('$name, which is sick ($what), is found after 40 steps at most', ({ sick, kinds }) => {
    expect(sick).not.toBeNull();
    expect(sick).toBeLessThanOrEqual(40);
    expect(kinds.length).toBeGreaterThanOrEqual(2);
  });

  it.each(these('healthy'))('$name, which is healthy ($what), is never called sick', ({ sick }) => {
    expect(sick).toBeNull();
  });
});
