/** The gate: who passes, and why not. */
import { describe, expect, it } from 'vitest';
import { type GateInput, judge, type Standing } from '../../domain/gate.ts';

const good: GateInput = {
  mainScore: 0.8,
  readableShare: 1,
  minMainScore: 0.5,
  minReadable: 0.95,
  tolerance: 0.02,
  champion: undefined,
};
const champion = { run: 'demo-1', mainScore: 0.79, difference: [-0.05, 0.07] as [number, number], sameArtifact: false };

describe('judge', () => {
  it.each<[string, GateInput, boolean, Standing]>([
    ['the first champion only has to be good enough', good, true, 'first champion'],
    ['the first one that is not good enough is none', { ...good, mainScore: 0.49 }, false, 'first champion'],
    ['a threshold that is just met is met', { ...good, mainScore: 0.5, readableShare: 0.95 }, true, 'first champion'],
    ['an undefined MainScore never passes', { ...good, mainScore: null, minMainScore: -1 }, false, 'first champion'],
    ['unreadable answers fail a good score', { ...good, readableShare: 0.94 }, false, 'first champion'],
    ['no shown loss against the champion', { ...good, champion }, true, 'challenger'],
    ['a shown loss', { ...good, champion: { ...champion, difference: [-0.2, -0.03] } }, false, 'challenger'],
    [
      'a shown loss within the tolerance',
      { ...good, champion: { ...champion, difference: [-0.2, -0.01] } },
      true,
      'challenger',
    ],
    ['an unknown difference', { ...good, champion: { ...champion, difference: null } }, false, 'challenger'],
    [
      'the champion again is not compared with itself',
      { ...good, champion: { ...champion, sameArtifact: true, difference: null } },
      true,
      'already champion',
    ],
    [
      'the champion again, but the bar was raised',
      { ...good, minMainScore: 0.9, champion: { ...champion, sameArtifact: true } },
      false,
      'already champion',
    ],
    ['a warning about its training passes', { ...good, health: 'warning' }, true, 'first champion'],
    ['a sick training does not', { ...good, health: 'sick' }, false, 'first champion'],
  ])('%s', (_name, input, passed, standing) => {
    expect(judge(input)).toMatchObject({ passed, standing });
  });

  it('each criterion says its value and threshold', () => {
    expect(judge({ ...good, mainScore: null, champion, health: 'sick' }).reasons).toEqual([
      'readable answers 1.000 ≥ 0.95',
      'MainScore undefined is below 0.5',
      'training is sick',
      'difference to champion demo-1: -0.050 to 0.070 (95 %), not worse',
    ]);
    expect(judge(good).reasons.at(-1)).toBe('no champion before');
  });
});
