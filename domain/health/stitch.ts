/** Stitching: the metrics of several attempts as one logical run (docs/CONTRACTS.md §7). Pure. */
import type { MetricsRow } from '../manifest.ts';

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

/** Mean over the last `window` (≥ 1) values at each place; over fewer at the start. Same length as `values`. */
export function movingMean(values: readonly number[], window: number): number[] {
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i - window + 1), i + 1);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
