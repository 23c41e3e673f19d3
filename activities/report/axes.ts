/** Axes of a chart: linear scales with round ticks. Pure numbers, no markup. */

export interface Axis {
  /** Value → coordinate. */
  at: (value: number) => number;
  ticks: number[];
}

/** An axis from `from` to `to` (coordinates, in either direction) for all `values`, with some room if `padded`. */
export function axis(values: readonly number[], from: number, to: number, wanted: number, padded = false): Axis {
  let [low, high] = bounds(values);
  const room = padded ? (high - low) * 0.06 : 0;
  [low, high] = [low - room, high + room];
  return { at: (value) => from + ((value - low) / (high - low)) * (to - from), ticks: ticks(low, high, wanted) };
}

function bounds(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** About `wanted` round numbers within [low, high]. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999) ?? raw;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
