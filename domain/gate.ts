/** Gate: may this critic replace the champion? Criteria as data, each with its value, threshold and verdict. Pure. */
import type { Interval } from './metrics.ts';

export interface Criterion {
  name: string;
  value: number | null;
  threshold: number;
  passed: boolean;
  /** One sentence for the operator. */
  sentence: string;
}

export interface GateInput {
  mainScore: number | null;
  readableShare: number;
  minMainScore: number;
  minReadable: number;
  tolerance: number;
  /** Champion's MainScore on the same items and the paired interval of candidate − champion; undefined without one. */
  champion: { run: string; mainScore: number | null; difference: Interval; sameArtifact: boolean } | undefined;
}

export interface Verdict {
  passed: boolean;
  criteria: Criterion[];
  reasons: string[];
}

/** Readable enough, good enough, and not worse than the champion by more than the tolerance (by the interval's upper end). */
export function judge(input: GateInput): Verdict {
  const { mainScore, readableShare, champion } = input;
  const criteria: Criterion[] = [
    criterion('readable answers', readableShare, input.minReadable),
    criterion('MainScore', mainScore, input.minMainScore),
  ];
  if (champion !== undefined && !champion.sameArtifact) criteria.push(againstChampion(input, champion));
  const passed = criteria.every((one) => one.passed);
  const note =
    champion === undefined ? ['no champion before'] : champion.sameArtifact ? ['it is the champion already'] : [];
  return { passed, criteria, reasons: [...criteria.map((one) => one.sentence), ...note] };
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
