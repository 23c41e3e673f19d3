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
  /** Candidate − rival in MainScore; null if it is unknown. This and the next two mean nothing for the same artifact. */
  estimate: number | null;
  standardError: number | null;
  /** Its 95 % interval. */
  difference: Interval;
  /** Measured on the same pairs with the same resamples. Only then may a gain move the reference. */
  paired: boolean;
  /** The candidate is this very model: there is nothing to compare. */
  sameArtifact: boolean;
}

export interface GateInput {
  mainScore: number | null;
  /** Why it is null. */
  whyUndefined?: string;
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

/**
 * What becomes of the candidate. `needs-person`: all that keeps it from being promoted is a comparison that the test set cannot decide, and by the
 * estimate it is at least as good.
 */
export type Outcome = 'promote' | 'keep' | 'needs-person';

export interface Verdict {
  outcome: Outcome;
  /** The outcome is `promote`. */
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
    criterion('MainScore', mainScore, input.minMainScore, input.whyUndefined),
  ];
  if (input.health !== undefined) criteria.push(healthCriterion(input.health));
  const standing = standingOf(champion);
  const rivals = standing === 'challenger' ? challenged(champion, reference) : [];
  const isGoodEnough = criteria.every((one) => one.passed);
  for (const [role, rival] of rivals) criteria.push(notInferior(role, rival, input.margin));
  const passed = criteria.every((one) => one.passed);
  const isOpen = isGoodEnough && !passed && rivals.every(([, rival]) => mayBeAsGood(rival));
  const outcome = passed ? 'promote' : isOpen ? 'needs-person' : 'keep';
  return {
    outcome,
    passed,
    standing,
    raisesReference: standing === 'challenger' && isShownBetter(reference ?? champion),
    criteria,
    reasons: [
      ...criteria.map((one) => one.sentence),
      ...notes[standing],
      ...rivals.slice(0, 1).flatMap(([, rival]) => power(rival, input.margin)),
      ...(outcome === 'needs-person' ? [personSentence] : []),
    ],
  };
}

const personSentence =
  'a person may decide: it looks at least as good, and this test set cannot show it ("critic champion promote" makes it champion)';

type Role = 'champion' | 'reference';

function challenged(champion: Rival | undefined, reference: Rival | undefined): [Role, Rival][] {
  const second: [Role, Rival][] = reference?.sameArtifact === false ? [['reference', reference]] : [];
  return champion === undefined ? [] : [['champion', champion], ...second];
}

/** Is it as good by the estimate, or unknown? */
function mayBeAsGood({ estimate }: Rival): boolean {
  return estimate === null || estimate >= 0;
}

/** The difference that a test of 2.5 % on one side finds in 4 of 5 cases, in standard errors: z of 0.975 and of 0.8 (Cohen 1988, chapter 2). */
const detectableErrors = 1.96 + 0.8416;

/** What the test set can show, so that a refusal is read rightly. An equally good critic passes in 4 of 5 cases if the margin is as wide. */
function power({ standardError }: Rival, margin: number): string[] {
  if (standardError === null) return [];
  const least = detectableErrors * standardError;
  const often = least > margin ? `, more than gate.margin ${margin}: many critics that are as good fail` : '';
  return [`this test set can show a difference of ${least.toFixed(3)} (power 80 %)${often}`];
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

function criterion(name: string, value: number | null, threshold: number, whyUndefined?: string): Criterion {
  const passed = value !== null && value >= threshold;
  const sentence =
    value === null
      ? `${name} is undefined${whyUndefined === undefined ? '' : ` (${whyUndefined})`}, expected ≥ ${threshold}`
      : `${name} ${value.toFixed(3)} ${passed ? '≥' : 'is below'} ${threshold}`;
  return { name, value, threshold, passed, sentence };
}

function notInferior(role: Role, rival: Rival, margin: number): Criterion {
  const { difference } = rival;
  const value = difference === null ? null : difference[0];
  const threshold = -margin;
  const passed = value !== null && value >= threshold;
  const sentence = `difference to ${role} ${rival.run}: ${shownBy(difference, margin)}`;
  return { name: `difference to the ${role}`, value, threshold, passed, sentence };
}

function shownBy(difference: Interval, margin: number): string {
  if (difference === null) return 'unknown, so nothing is shown';
  const [low, high] = difference;
  const range = `${low.toFixed(3)} to ${high.toFixed(3)} (95 %)`;
  if (low > 0) return `${range}, better`;
  if (low >= -margin) return `${range}, not worse by more than ${margin}`;
  if (high < -margin) return `${range}, worse by more than ${margin}`;
  if (high < 0) return `${range}, worse, perhaps by more than ${margin}`;
  return `${range}, not shown to be within ${margin}: it takes more test pairs or a wider gate.margin`;
}
