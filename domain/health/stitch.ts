/** Stitching: the metrics of several attempts as one logical run (docs/CONTRACTS.md §7). Pure. */

/**
 * Rows by step, ascending. `attempts` are given oldest first. From the first step of an attempt on, its rows replace all rows of
 * earlier attempts. An attempt without rows changes nothing. If one attempt has two rows of the same step (training and
 * validation), they are merged, and later columns win.
 */
export function stitchMetrics<Row extends { step: number }>(attempts: readonly (readonly Row[])[]): Row[] {
  const bySteps = new Map<number, Row>();
  for (const rows of attempts) {
    const first = rows[0]?.step;
    if (first === undefined) continue;
    for (const step of bySteps.keys()) if (step >= first) bySteps.delete(step);
    for (const row of rows) bySteps.set(row.step, { ...bySteps.get(row.step), ...row });
  }
  return [...bySteps.values()].toSorted((a, b) => a.step - b.step);
}

/** Mean over the last `window` (≥ 1) values at each place, and over fewer at the start. Same length as `values`. */
export function movingMean(values: readonly number[], window: number): number[] {
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i - window + 1), i + 1);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
