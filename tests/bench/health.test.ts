/** The recorded trainings: which sick ones are found and when, and no healthy one is called sick. */
import { describe, expect, it } from 'vitest';
import { judgeTrace } from '../../bench/health/judging.ts';
import { readTraces } from '../../bench/health/trace.ts';

const judged = readTraces().map(judgeTrace);
const these = (is: 'healthy' | 'sick') => judged.filter((one) => one.is === is);

describe('recorded trainings', () => {
  it('are of both kinds', () => {
    expect(these('sick').length).toBeGreaterThanOrEqual(3);
    expect(these('healthy').length).toBeGreaterThanOrEqual(4);
  });

  it.each(these('sick'))('$name, which is sick ($what), shows a sign after 20 steps at most', ({ warned }) => {
    expect(warned).not.toBeNull();
    expect(warned).toBeLessThanOrEqual(20);
  });

  it('that are sick are found, each by two signs', () => {
    const found = these('sick').map(({ name, sick, kinds }) => [
      name,
      sick,
      kinds.toSorted((x, y) => x.localeCompare(y)),
    ]);
    expect(found).toEqual([
      ['flat-reward', 10, ['reward', 'scores']],
      ['lr-times-10', 33, ['reward', 'scores']],
      ['lr-times-33', 15, ['entropy', 'format', 'reward']],
      ['no-critiques', 44, ['format', 'scores']],
    ]);
  });

  it.each(these('healthy'))('$name, which is healthy ($what), is never called sick', ({ sick, atEnd }) => {
    expect([sick, atEnd]).toEqual([null, 'healthy']);
  });

  it('that are sick show at most one sign in all their numbers at the end', () => {
    expect(these('sick').map(({ name, endSignals }) => [name, endSignals])).toEqual([
      ['flat-reward', ['flat-reward']],
      ['lr-times-10', ['length-collapse']],
      ['lr-times-33', ['flat-reward']],
      ['no-critiques', []],
    ]);
  });
});
