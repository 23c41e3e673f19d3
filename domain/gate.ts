/** Gate: may this critic replace the champion? Criteria as data, each with its value, threshold and verdict. Pure. */
import type { HealthVerdict } from './health.ts';
import type { Interval } from './metrics.ts';

export interface Criterion {
  name: string;
  /** What was measured; null if it is undefined, which never passes. */
  value: number | null;
  threshold: number;
  passed: boolean;
  /** One sentence for the operator. */
  sentence: string;
}

export interface GateInput {
  mainScore: number | null;
  /** Readable answers over all test pairs, in [0, 1]. */
  readableShare: number;
  minMainScore: number;
  minReadable: number;
  /** How much lower MainScore may be than the champion's, ≥ 0. */
  tolerance: number;
  /** How training went; only `sick` fails, and nothing known of it does not. */
  health?: HealthVerdict;
  /** Champion's MainScore on the same items and the paired interval of candidate − champion; undefined without one. */
  champion: { run: string; mainScore: number | null; difference: Interval; sameArtifact: boolean } | undefined;
}

/** Where the candidate stands once it passes. */
export type Standing = 'first champion' | 'already champion' | 'challenger';

export interface Verdict {
  passed: boolean;
  standing: Standing;
  criteria: Criterion[];
  reasons: string[];
}

/**
 * Readable enough, good enough, not from a sick training, and not worse than the champion by more than the tolerance: by the
 * paired interval's upper end, so that only a loss that is shown fails. Without a champion the absolute criteria decide; the
 * champion itself is held to them again, but not compared with itself. An unknown difference (no common items) fails.
 */
export function judge(input: GateInput): Verdict {
  const { mainScore, readableShare, champion } = input;
  const criteria: Criterion[] = [
    criterion('readable answers', readableShare, input.minReadable),
    criterion('MainScore', mainScore, input.minMainScore),
  ];
  if (input.health !== undefined) criteria.push(healthCriterion(input.health));
  const standing = standingOf(champion);
  if (champion !== undefined && standing === 'challenger') criteria.push(againstChampion(input, champion));
  const passed = criteria.every((one) => one.passed);
  return { passed, standing, criteria, reasons: [...criteria.map((one) => one.sentence), ...notes[standing]] };
}

const notes: Record<Standing, string[]> = {
  'first champion': ['no champion before'],
  'already champion': ['it is the champion already'],
  challenger: [],
};

function standingOf(champion: GateInput['champion']): Standing {
  if (champion === undefined) return 'first champion';
  return champion.sameArtifact ? 'already champion' : 'challenger';
}

/** Two kinds of evidence against the training; `value` is 1 unless it is sick. */
function healthCriterion(health: HealthVerdict): Criterion {
  const passed = health !== 'sick';
  return { name: 'training health', value: passed ? 1 : 0, threshold: 1, passed, sentence: `training is ${health}` };
}

function criterion(name: string, value: number | null, threshold: number): Criterion {
  const passed = value !== null && value >= threshold;
  const shown = value === null ? 'undefined' : value.toFixed(3);
  return { name, value, threshold, passed, sentence: `${name} ${shown} ${passed ? '≥' : 'is below'} ${threshold}` };
}

function againstChampion(input: GateInput, champion: NonNullable<GateInput['champion']>): Criterion {
  const { difference } = champion;
  const value = difference === null ? null : difference[1];
  const threshold = -input.tolerance;
  const passed = value !== null && value >= threshold;
  const range = difference === null ? 'unknown' : `${difference[0].toFixed(3)} to ${difference[1].toFixed(3)}`;
  const sentence = `difference to champion ${champion.run}: ${range} (95 %), ${passed ? 'not worse' : 'worse'}`;
  return { name: 'difference to the champion', value, threshold, passed, sentence };
}
