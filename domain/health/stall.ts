/** Stall: how long a running job may write no metrics row before it counts as stuck (docs/CONTRACTS.md §5). Pure. */
import type { RowPace } from '../jobs/pace.ts';
import type { WatchSettings } from '../recipe.ts';

/** Is a silence of `seconds`, after an attempt's rows at this pace, a stall? Then one clause for the operator, else undefined. */
export function judgeSilence(seconds: number, pace: RowPace, settings: WatchSettings): string | undefined {
  const { rows, rowSeconds: median } = pace;
  if (median === undefined) {
    if (seconds < settings.first_row_seconds) return undefined;
    return `it runs and has written ${rows === 0 ? 'no step' : 'one step'} for ${Math.round(seconds)} s`;
  }
  if (seconds < Math.max(settings.stall_seconds, settings.stall_factor * median)) return undefined;
  return `it runs and has written no step for ${Math.round(seconds)} s, its own median is ${median.toPrecision(2)} s`;
}
