/** Backoff: how long to wait for a server that is away. */

/** `longestMs`: the pause doubles with each failure up to this. `random`: from 0 to below 1. */
export interface BackoffOptions {
  baseMs: number;
  longestMs: number;
  random?: () => number;
}

/**
 * Pause after the `failures`-th failure in a row (from 0), ms. Half of it is drawn, so that those who failed together do not
 * come back together: 50 to 100 % of `baseMs`, twice that, four times that, and so on.
 */
export function backoffMs(failures: number, { baseMs, longestMs, random = Math.random }: BackoffOptions): number {
  return Math.min(longestMs, baseMs * 2 ** failures) * (0.5 + random() / 2);
}
