/** Backoff: how long to wait for a server that is away. */

/** The pause doubles with each failure, up to `longestMs`. `random`: 0 ≤ x < 1. */
export interface BackoffOptions {
  baseMs: number;
  longestMs: number;
  random?: () => number;
}

/**
 * Pause after the `failures`-th failure in a row (from 0), ms: 50 to 100 % of `baseMs`, of twice that, of four times that, and so on. Half of
 * it is drawn at random, so that those who failed together do not come back together.
 */
export function backoffMs(failures: number, { baseMs, longestMs, random = Math.random }: BackoffOptions): number {
  return Math.min(longestMs, baseMs * 2 ** failures) * (0.5 + random() / 2);
}
