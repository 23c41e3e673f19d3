/** Judging traces as a watcher would have, step by step, and at their end as the gate does by their numbers. */
import { healthVerdict, type HealthVerdict, judgeTraining } from '../../domain/health/health.ts';
import { judgeRunning } from '../../domain/health/running.ts';
import type { Trace } from './trace.ts';

export interface Judged extends Pick<Trace, 'name' | 'is' | 'what'> {
  steps: number;
  /** The first step after which there was one sign, and two that agree; null: never. */
  warned: number | null;
  sick: number | null;
  /** Kinds of signs at the verdict, else all that were ever seen. */
  kinds: string[];
  /** By all numbers; the gate looks at the answers of the evaluation too. */
  atEnd: HealthVerdict;
  /** Signals of its warnings. */
  endSignals: string[];
}

export function judgeTrace(trace: Trace): Judged {
  const findings = judgeTraining(trace.rows);
  const endSignals = findings.filter(({ level }) => level === 'warning').map(({ signal }) => signal);
  return { ...judgeWhileRunning(trace), atEnd: healthVerdict(findings), endSignals: [...new Set(endSignals)] };
}

function judgeWhileRunning({ name, is, what, rows, answers }: Trace): Omit<Judged, 'atEnd' | 'endSignals'> {
  const seen = new Set<string>();
  let warned: number | null = null;
  for (const [index, { step }] of rows.entries()) {
    const { verdict, signs } = judgeRunning(
      rows.slice(0, index + 1),
      answers.filter((one) => one.step <= step),
    );
    for (const { kind } of signs) seen.add(kind);
    if (verdict !== 'healthy') warned ??= step;
    if (verdict === 'sick') {
      const kinds = [...new Set(signs.map(({ kind }) => kind))];
      return { name, is, what, steps: rows.length, warned, sick: step, kinds };
    }
  }
  return { name, is, what, steps: rows.length, warned, sick: null, kinds: [...seen] };
}
