/** Stitching: the metrics of several attempts as one logical run (contracts.md §7). Pure. */
import type { MetricsRow } from './manifest.ts';

/**
 * Rows by step, ascending: what a later attempt logged for a step replaces what an earlier one did, and everything it logged
 * after the step at which the later one began goes with it. Attempts oldest first; one without rows changes nothing. Rows of
 * one attempt with the same step (training and validation) are merged, later columns winning.
 */
export function stitchMetrics(attempts: readonly (readonly MetricsRow[])[]): MetricsRow[] {
  const bySteps = new Map<number, MetricsRow>();
  for (const rows of attempts) {
    const first = rows[0]?.step;
    if (first === undefined) continue;
    for (const step of bySteps.keys()) if (step >= first) bySteps.delete(step);
    for (const row of rows) bySteps.set(row.step, { ...bySteps.get(row.step), ...row });
  }
  return [...bySteps.values()].toSorted((a, b) => a.step - b.step);
}

/**
 * Median seconds per step of one attempt's rows, the upper one of two; undefined with fewer than two timed rows. `time` is in
 * seconds. Not for stitched rows: the gap between two attempts is no step.
 */
export function medianStepSeconds(rows: readonly MetricsRow[]): number | undefined {
  const paces = rows.slice(1).flatMap((row, i) => {
    const before = rows[i];
    if (before === undefined || typeof row.time !== 'number' || typeof before.time !== 'number') return [];
    const steps = row.step - before.step;
    return steps > 0 ? [(row.time - before.time) / steps] : [];
  });
  return paces.toSorted((a, b) => a - b)[Math.floor(paces.length / 2)];
}

/** Median seconds between two rows of one attempt, the upper one of two; undefined with fewer than two timed rows. */
export function medianRowSeconds(rows: readonly MetricsRow[]): number | undefined {
  const gaps = rows.slice(1).flatMap((row, i) => {
    const before = rows[i]?.time;
    return typeof row.time === 'number' && typeof before === 'number' ? [Math.max(0, row.time - before)] : [];
  });
  return gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)];
}

/** Mean over the last `window` (≥ 1) values at each place; over fewer at the start. Same length as `values`. */
export function movingMean(values: readonly number[], window: number): number[] {
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i - window + 1), i + 1);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
