import { describe, expect, it } from 'vitest';
import type { MetricsRow } from '../../../domain/manifest.ts';
import { Pace } from '../../../domain/jobs/pace.ts';

describe('a pace', () => {
  it('after 10,000 rows is brought up to date by the new row and the one before it alone', () => {
    let touched = new Set<number>();
    const row = (step: number): MetricsRow => ({
      step,
      get time() {
        touched.add(step);
        return step * 2;
      },
    });
    const pace = Pace.of(Array.from({ length: 10_000 }, (_, step) => row(step)));
    touched = new Set();
    pace.add(row(10_000));
    expect(pace).toMatchObject({ rows: 10_001, stepSeconds: 2, rowSeconds: 2 });
    expect(touched).toEqual(new Set([9_999, 10_000]));
  });

  it('has the median of all gaps, whatever their order', () => {
    const gaps = [9, 1, 5, 3, 7, 2, 8];
    let time = 0;
    const rows = [0, ...gaps].map((gap, step) => ({ step, time: (time += gap) }));
    expect(Pace.of(rows).rowSeconds).toBe(5);
    expect(Pace.of(rows.slice(0, 5)).rowSeconds).toBe(5);
    expect(Pace.of(rows.slice(0, 3)).stepSeconds).toBe(9);
  });
});
