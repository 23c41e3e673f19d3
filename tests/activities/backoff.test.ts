import { expect, it } from 'vitest';
import { backoffMs } from '../../activities/backoff.ts';

it.each<[string, number, number, number]>([
  ['the least after the first failure is half of the base', 0, 0, 50],
  ['the most after the first failure is the base', 0, 1, 100],
  ['it doubles with each failure', 3, 1, 800],
  ['up to the longest', 30, 1, 5_000],
  ['of which half is drawn too', 30, 0, 2_500],
])('%s', (_name, failures, drawn, pause) => {
  expect(backoffMs(failures, { baseMs: 100, longestMs: 5_000, random: () => drawn })).toBe(pause);
});
