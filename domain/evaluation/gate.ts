/** Gate: may this critic replace the champion? Criteria as data, each with its value, threshold and verdict. Pure. */
import type { HealthVerdict } from '../health/health.ts';
import type { Interval } from './metrics.ts';

export interface Criterion {
  name: string;
  /** What was measured. Null if it is undefined; that never passes. */
  value: number | null;
  threshold: number;
  passed: boolean;
  /** One sentence for the operator. */
  sentence: string;
}

/** A critic that the candidate is compared with. */
export interface Rival {
  run: string;
  /** 95 % interval of candidate − rival in MainScore; null if it is unknown. It means nothing for the same artifact. */
  difference: Interval;
  /** Measured on the same pairs with the same resamples. Only then may a gain move the reference. */
  paired: boolean;
  /** The candidate is this very model: there is nothing to compare. */
  sameArtifact: boolean;
}

export interface GateInput {
  mainScore: number | null;
  /** Readable answers over all test pairs, in [0, 1]. */
  readableShare: number;
  minMainScore: number;
  minReadable: number;
  /** How much worse than a rival the candidate may be, in MainScore, in [0, 2]. It must be shown that it is not. */
  margin: number;
  /** How training went. Only `sick` fails; if nothing is known, it does not fail. */
  health?: HealthVerdict;
  /** Undefined without a champion. */
  champion: Rival | undefined;
  /** Undefined without a champion, and if the champion is the reference itself. */
  reference?: Rival | undefined;
}

/** What the candidate is if it passes. */
export type Standing = 'first champion' | 'already champion' | 'challenger';

export interface Verdict {
  passed: boolean;
  standing: Standing;
  /** It is shown to be better than the reference, on the same pairs, and may be the next reference. */
  raisesReference: boolean;
  criteria: Criterion[];
  reasons: string[];
}

/**
 * A candidate passes if it is readable enough, good enough, not from a sick training, and not inferior to its rivals. Not
 * inferior: the lower end of the interval of candidate − rival is ≥ −margin. What the data cannot exclude fails, and so does an
 * unknown difference. One rival is the champion. The other is the reference: a promotion moves it only if a gain over it is
 * shown, so champions that are each a little worse than the last cannot drift away from it. Without a champion the absolute
 * criteria decide. The champion itself is held to them again, but not compared.
 */
export function judge(input: GateInput): Verdict {
  const { mainScore, readableShare, champion, reference } = input;
  const criteria: Criterion[] = [
    criterion('readable answers', readableShare, input.minReadable),
    criterion('MainScore', mainScore, input.minMainScore),
  ];
  if (input.health !== undefined) criteria.push(healthCriterion(input.health));
  const standing = standingOf(champion);
  if (champion !== undefined && standing === 'challenger') {
    criteria.push(notInferior('champion', champion, input.margin));
    if (reference?.sameArtifact === false) criteria.push(notInferior('reference', reference, input.margin));
  }
  return {
    passed: criteria.every((one) => one.passed),
    standing,
    raisesReference: standing === 'challenger' && isShownBetter(reference ?? champion),
    criteria,
    reasons: [...criteria.map((one) => one.sentence), ...notes[standing]],
  };
}

function isShownBetter(rival: Rival | undefined): boolean {
  if (rival === undefined || rival.sameArtifact || !rival.paired) return false;
  return rival.difference !== null && rival.difference[0] > 0;
}

const notes: Record<Standing, string[]> = {
  'first champion': ['no champion before'],
  'already champion': ['it is the champion already'],
  challenger: [],
};

function standingOf(champion: Rival | undefined): Standing {
  if (champion === undefined) return 'first champion';
  return champion.sameArtifact ? 'already champion' : 'challenger';
}

/** Sick means two kinds of evidence against the training. `value` is 0 then, otherwise 1. */
function healthCriterion(health: HealthVerdict): Criterion {
  const passed = health !== 'sick';
  return { name: 'training health', value: passed ? 1 : 0, threshold: 1, passed, sentence: `training is ${health}` };
}

function criterion(name: string, value: number | null, threshold: number): Criterion {
  const passed = value !== null && value >= threshold;
  const shown = value === null ? 'undefined' : value.toFixed(3);
  return { name, value, threshold, passed, sentence: `${name} ${shown} ${passed ? '≥' : 'is below'} ${threshold}` };
}

function notInferior(role: 'champion' | 'reference', rival: Rival, margin: number): Criterion {
  const { difference } = rival;
  const value = difference === null ? null : difference[0];
  const threshold = -margin;
  const passed = value !== null && value >= threshold;
  const sentence = `difference to ${role} ${rival.run}: ${outcome(difference, margin)}`;
  return { name: `difference to the ${role}`, value, threshold, passed, sentence };
}

function outcome(difference: Interval, margin: number): string {
  if (difference === null) return 'unknown, so nothing is shown';
  const [low, high] = difference;
  const range = `${low.toFixed(3)} to ${high.toFixed(3)} (95 %)`;
  if (low > 0) return `${range}, better`;
  if (low >= -margin) return `${range}, not worse by more than ${margin}`;
  if (high < -margin) return `${range}, worse by more than ${margin}`;
  if (high < 0) return `${range}, worse, perhaps by more than ${margin}`;
  return `${range}, not shown to be within ${margin}: it takes more test pairs or a wider gate.margin`;
}
