/** Pace: how long the steps and rows of one attempt take. It is kept up to date row by row, so no look sorts all rows again. Pure. */
import type { MetricsRow } from '../manifest.ts';

/** What a judgement of silence needs: rows so far, and the median seconds between two of them. */
export interface RowPace {
  readonly rows: number;
  readonly rowSeconds: number | undefined;
}

export class Pace implements RowPace {
  readonly #steps = new RunningMedian();
  readonly #gaps = new RunningMedian();
  #before: MetricsRow | undefined;
  rows = 0;

  /** The pace of these rows of one attempt, oldest first. Do not give it stitched rows: the gap between two attempts is no step. */
  static of(rows: readonly MetricsRow[]): Pace {
    const pace = new Pace();
    for (const row of rows) pace.add(row);
    return pace;
  }

  add(row: MetricsRow): void {
    const before = this.#before;
    this.#before = row;
    this.rows += 1;
    if (typeof row.time !== 'number' || typeof before?.time !== 'number') return;
    const seconds = row.time - before.time;
    const steps = row.step - before.step;
    if (steps > 0) this.#steps.add(seconds / steps);
    this.#gaps.add(Math.max(0, seconds));
  }

  /** Median seconds of a step, of two middle ones the larger. Undefined with fewer than two timed rows. `time` is in seconds. */
  get stepSeconds(): number | undefined {
    return this.#steps.value;
  }

  /** Median seconds between two rows, of two middle ones the larger. Undefined with fewer than two timed rows. */
  get rowSeconds(): number | undefined {
    return this.#gaps.value;
  }
}

class RunningMedian {
  /** Ascending. */
  readonly #values: number[] = [];

  /** Adds a finite number, with log₂ n comparisons. Larger ones move up one place. */
  add(value: number): void {
    let low = 0;
    let high = this.#values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#values[middle] ?? value) < value) low = middle + 1;
      else high = middle;
    }
    this.#values.splice(low, 0, value);
  }

  get value(): number | undefined {
    return this.#values[this.#values.length >>> 1];
  }
}
