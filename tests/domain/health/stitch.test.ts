/** Several attempts as one run. */
import { describe, expect, it } from 'vitest';
import type { MetricsRow } from '../../../domain/manifest.ts';
import { Pace } from '../../../domain/jobs/pace.ts';
import { movingMean, stitchMetrics } from '../../../domain/health/stitch.ts';

const rows = (attempt: number, steps: number[]): MetricsRow[] =>
  steps.map((step) => ({ step, attempt, loss: attempt }));
const shape = (stitched: MetricsRow[]) => stitched.map((row) => `${row.step}:${row.attempt}`).join(' ');

describe('stitchMetrics', () => {
  it.each<[string, MetricsRow[][], string]>([
    ['no attempts', [], ''],
    ['one attempt is itself', [rows(1, [1, 2, 3])], '1:1 2:1 3:1'],
    ['a resumed attempt goes on', [rows(1, [1, 2]), rows(2, [3, 4])], '1:1 2:1 3:2 4:2'],
    ['a step done again replaces the old one', [rows(1, [1, 2, 3]), rows(2, [3, 4])], '1:1 2:1 3:2 4:2'],
    [
      'what came after the checkpoint and was not reached again goes too',
      [rows(1, [1, 2, 3, 4, 5]), rows(2, [3])],
      '1:1 2:1 3:2',
    ],
    ['a start from scratch replaces everything', [rows(1, [1, 2, 3]), rows(2, [1])], '1:2'],
    ['an attempt that logged nothing changes nothing', [rows(1, [1, 2]), [], rows(3, [3])], '1:1 2:1 3:3'],
    ['three attempts', [rows(1, [1, 2, 3]), rows(2, [2, 3, 4]), rows(3, [4, 5])], '1:1 2:2 3:2 4:3 5:3'],
    ['a gap stays a gap', [rows(1, [1]), rows(2, [5])], '1:1 5:2'],
  ])('%s', (_name, attempts, expected) => {
    expect(shape(stitchMetrics(attempts))).toBe(expected);
  });

  it('two rows of one step, training and validation, become one', () => {
    const stitched = stitchMetrics([
      [
        { step: 1, loss: 2 },
        { step: 1, main_score: 0.8 },
      ],
    ]);
    expect(stitched).toEqual([{ step: 1, loss: 2, main_score: 0.8 }]);
  });
});

describe('the median step of a pace', () => {
  const timed = (...times: (number | string | undefined)[]): MetricsRow[] =>
    times.map((time, i) => ({ step: i + 1, ...(time === undefined ? {} : { time }) }));
  it.each<[string, MetricsRow[], number | undefined]>([
    ['no rows', [], undefined],
    ['one row', timed(1), undefined],
    ['even steps', timed(0, 2, 4, 6), 2],
    ['one slow step does not count', timed(0, 1, 2, 103, 104), 1],
    ['rows without a time are passed over', timed(0, undefined, 5), undefined],
    ['a time that is a text is passed over', timed(0, '2026-11-23', 5), undefined],
    [
      'rows every ten steps',
      [
        { step: 10, time: 0 },
        { step: 20, time: 30 },
      ],
      3,
    ],
    [
      'two rows of one step are no pace',
      [
        { step: 1, time: 0 },
        { step: 1, time: 9 },
      ],
      undefined,
    ],
  ])('%s', (_name, given, expected) => {
    expect(Pace.of(given).stepSeconds).toBe(expected);
  });
});

it.each([
  ['nothing', [], 3, []],
  ['a window of one changes nothing', [1, 2, 4], 1, [1, 2, 4]],
  ['the start has fewer values', [2, 4, 6, 8], 2, [2, 3, 5, 7]],
  ['a window larger than the list', [2, 4], 9, [2, 3]],
])('movingMean: %s', (_name, values, window, expected) => {
  expect(movingMean(values, window)).toEqual(expected);
});
