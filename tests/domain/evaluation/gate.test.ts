/** The gate: who passes, and why not. */
import { describe, expect, it } from 'vitest';
import { type GateInput, judge, type Outcome, type Rival, type Standing } from '../../../domain/evaluation/gate.ts';
import type { Interval } from '../../../domain/evaluation/metrics.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

const good: GateInput = {
  mainScore: 0.8,
  readableShare: 1,
  minMainScore: 0.5,
  minReadable: 0.95,
  margin: 0.05,
  champion: undefined,
};

function rival(difference: Interval, more: Partial<Rival> = {}): Rival {
  const estimate = difference === null ? null : (difference[0] + difference[1]) / 2;
  const standardError = difference === null ? null : (difference[1] - difference[0]) / 3.92;
  return { run: 'demo-1', estimate, standardError, difference, paired: true, sameArtifact: false, ...more };
}
const champion = rival([-0.04, 0.07]);

describe('judge', () => {
  it.each<[string, GateInput, boolean, Standing]>([
    ['the first champion only has to be good enough', good, true, 'first champion'],
    ['the first one that is not good enough is none', { ...good, mainScore: 0.49 }, false, 'first champion'],
    ['a threshold that is just met is met', { ...good, mainScore: 0.5, readableShare: 0.95 }, true, 'first champion'],
    ['an undefined MainScore never passes', { ...good, mainScore: null, minMainScore: -1 }, false, 'first champion'],
    ['unreadable answers fail a good score', { ...good, readableShare: 0.94 }, false, 'first champion'],
    ['shown to be within the margin of the champion', { ...good, champion }, true, 'challenger'],
    ['just within it', { ...good, champion: rival([-0.05, 0.01]) }, true, 'challenger'],
    [
      'not shown to be within it, though it may be better',
      { ...good, champion: rival([-0.06, 0.1]) },
      false,
      'challenger',
    ],
    [
      '0.55 against 0.70: the upper end alone is within the margin',
      { ...good, champion: rival([-0.28, -0.02]) },
      false,
      'challenger',
    ],
    ['shown to be worse', { ...good, champion: rival([-0.2, -0.06]) }, false, 'challenger'],
    ['an unknown difference', { ...good, champion: rival(null) }, false, 'challenger'],
    [
      'within the margin of champion and reference',
      { ...good, champion, reference: rival([-0.05, 0]) },
      true,
      'challenger',
    ],
    [
      'within the margin of the champion, not of the reference',
      { ...good, champion, reference: rival([-0.06, 0]) },
      false,
      'challenger',
    ],
    ['an unknown difference to the reference', { ...good, champion, reference: rival(null) }, false, 'challenger'],
    [
      'the reference itself comes back',
      { ...good, champion, reference: rival(null, { sameArtifact: true }) },
      true,
      'challenger',
    ],
    [
      'the champion again is not compared with itself',
      { ...good, champion: rival(null, { sameArtifact: true }) },
      true,
      'already champion',
    ],
    [
      'the champion again, but the bar was raised',
      { ...good, minMainScore: 0.9, champion: rival(null, { sameArtifact: true }) },
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
      'MainScore is undefined, expected ≥ 0.5',
      'training is sick',
      'difference to champion demo-1: -0.040 to 0.070 (95 %), not worse by more than 0.05',
      'this test set can show a difference of 0.079 (power 80 %), more than gate.margin 0.05: many critics that are as good fail',
    ]);
    expect(judge(good).reasons.at(-1)).toBe('no champion before');
    const silent = judge({
      ...good,
      mainScore: null,
      whyUndefined: 'all readable answers give one and the same score',
    });
    expect(silent.reasons).toContain(
      'MainScore is undefined (all readable answers give one and the same score), expected ≥ 0.5',
    );
  });

  it.each<[Interval, string]>([
    [[0.01, 0.1], '0.010 to 0.100 (95 %), better'],
    [[-0.05, 0.1], '-0.050 to 0.100 (95 %), not worse by more than 0.05'],
    [
      [-0.2, 0.1],
      '-0.200 to 0.100 (95 %), not shown to be within 0.05: it takes more test pairs or a wider gate.margin',
    ],
    [[-0.2, -0.01], '-0.200 to -0.010 (95 %), worse, perhaps by more than 0.05'],
    [[-0.2, -0.06], '-0.200 to -0.060 (95 %), worse by more than 0.05'],
    [null, 'unknown, so nothing is shown'],
  ])('a difference of %j has its sentence', (difference, sentence) => {
    expect(judge({ ...good, champion: rival(difference) }).reasons).toContain(
      `difference to champion demo-1: ${sentence}`,
    );
    const { reasons } = judge({ ...good, champion, reference: rival(difference, { run: 'demo-0' }) });
    expect(reasons).toContain(`difference to reference demo-0: ${sentence}`);
  });

  it.each<[string, Partial<GateInput>, Outcome]>([
    ['all holds', { champion: rival([0.01, 0.1]) }, 'promote'],
    ['it looks as good, and the test set cannot show it', { champion: rival([-0.06, 0.1]) }, 'needs-person'],
    ['nothing is known of the difference', { champion: rival(null) }, 'needs-person'],
    ['it looks worse', { champion: rival([-0.1, 0.06]) }, 'keep'],
    [
      'it looks as good as the champion and worse than the reference',
      { champion, reference: rival([-0.2, 0.1]) },
      'keep',
    ],
    ['it looks as good, and cannot be read', { champion: rival([-0.06, 0.1]), readableShare: 0.5 }, 'keep'],
    ['it looks as good, from a sick training', { champion: rival([-0.06, 0.1]), health: 'sick' }, 'keep'],
    ['the first one is too bad', { mainScore: 0.1 }, 'keep'],
  ])('what becomes of it: %s', (_name, input, outcome) => {
    const verdict = judge({ ...good, ...input });
    expect(verdict).toMatchObject({ outcome, passed: outcome === 'promote' });
    expect(verdict.reasons.some((reason) => reason.startsWith('a person may decide'))).toBe(outcome === 'needs-person');
  });

  it('a test set that can show the margin says so without a warning', () => {
    const { reasons } = judge({ ...good, champion: rival([-0.01, 0.01]) });
    expect(reasons.at(-1)).toBe('this test set can show a difference of 0.014 (power 80 %)');
  });

  it.each<[string, Partial<GateInput>, boolean]>([
    ['the first champion', {}, false],
    ['shown to be better than a champion that is the reference', { champion: rival([0.01, 0.1]) }, true],
    ['not shown to be', { champion: rival([0, 0.1]) }, false],
    [
      'better than the champion, not than the reference',
      { champion: rival([0.1, 0.2]), reference: rival([-0.01, 0.1]) },
      false,
    ],
    ['better than both', { champion: rival([0.1, 0.2]), reference: rival([0.01, 0.1]) }, true],
    ['better on other pairs', { champion: rival([0.1, 0.2], { paired: false }) }, false],
    ['the champion again', { champion: rival(null, { sameArtifact: true }) }, false],
  ])('the reference is raised by what is shown to be better than it: %s', (_name, input, raises) => {
    expect(judge({ ...good, ...input }).raisesReference).toBe(raises);
  });
});

/** Promotes night after night as the gate's activity does; gives the true scores of the champions. */
function nights(changes: readonly number[], margin: number, halfWidth: number, seed = 1): number[] {
  const random = seededRandom(seed);
  const between = (a: number, b: number): Interval => {
    const noise = (random() - 0.5) * halfWidth;
    return [a - b + noise - halfWidth, a - b + noise + halfWidth];
  };
  let reference = 0.8;
  const champions = [0.8];
  for (const change of changes) {
    const current = champions.at(-1) ?? 0;
    const candidate = current + change;
    const verdict = judge({
      ...good,
      mainScore: candidate,
      margin,
      champion: rival(between(candidate, current)),
      reference: reference === current ? undefined : rival(between(candidate, reference)),
    });
    if (!verdict.passed) continue;
    champions.push(candidate);
    if (verdict.raisesReference) reference = candidate;
  }
  return champions;
}

describe('night after night', () => {
  const decay = Array<number>(60).fill(-0.02);

  it('ten nights of −0.02 ± 0.03 do not walk 0.80 down to 0.60: none of them is shown to be within the default margin', () => {
    expect(nights(decay.slice(0, 10), 0.03, 0.03, 3).every((score) => score > 0.78)).toBe(true);
  });

  it.each([1, 2, 3, 4, 5])('a margin that lets each step pass stops the walk at the reference (seed %i)', (seed) => {
    const champions = nights(decay, 0.06, 0.03, seed);
    expect(champions.length).toBeGreaterThan(1);
    // The lower end was ≥ −margin: the true loss is at most the margin, less what the interval's noise hides.
    expect(Math.min(...champions)).toBeGreaterThan(0.8 - 0.06);
  });

  it.each([1, 2, 3])('a gain moves the reference, and a decay after it is held to the gain (seed %i)', (seed) => {
    const champions = nights([0.1, ...decay], 0.06, 0.03, seed);
    expect(champions[1]).toBeCloseTo(0.9);
    expect(Math.min(...champions.slice(1))).toBeGreaterThan(0.9 - 0.06);
  });
});
