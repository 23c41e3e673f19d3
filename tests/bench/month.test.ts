/** The verdict of bench/month notices what must not happen. */
import { describe, expect, it } from 'vitest';
import type { MonthCounts } from '../../bench/month/counting.ts';
import { type Expected, type Played, verdictOn } from '../../bench/month/judging.ts';
import type { NightVerdict } from '../../domain/nights/night.ts';

function night(number: number, expected: Expected, verdict: NightVerdict, nothingNew = false): Played {
  const run = verdict === 'passed' ? `month-20261101-00000${number}` : null;
  const at = `2026-11-0${number}T01:00:00Z`;
  return { number, expected, result: { night: 'month', at, verdict, sentence: '', run, nothingNew } };
}

const played = [
  night(1, 'made', 'passed'),
  night(2, 'reused', 'passed', true),
  night(3, 'wrong-recipe', 'wrong-recipe'),
  night(4, 'skipped', 'skipped'),
];
const counts: MonthCounts = {
  jobsOf: new Map([['month-20261101-000001', 5]]),
  doubled: [],
  strangers: [],
  madeTwice: [],
  attempts: 5,
  artifacts: 12,
};
const told = played.map(({ number }) =>
  JSON.stringify({ id: `night-${number}`, kind: 'night-ended', title: `night ${number}`, text: 'all of it' }),
);

describe('a month', () => {
  it('whose nights all ended as they should has no fault, and shows each digest', () => {
    const { lines, faults } = verdictOn(played, counts, told);
    expect(faults).toEqual([]);
    expect(lines.join('\n')).toContain('night-ended: night 4\nall of it');
  });

  it.each<[string, Partial<MonthCounts>]>([
    ['more than one job', { doubled: ['critic-month-20261101-000001-sft-a1'] }],
    ['no attempt in the store', { strangers: ['critic-month-20261101-000009-sft-a1'] }],
    ['made by two jobs', { madeTwice: ['sft/abc'] }],
    ['night 2: expected reused, got 4 jobs', { jobsOf: new Map([...counts.jobsOf, ['month-20261101-000002', 4]]) }],
    ['night 1: expected made, got 0 jobs', { jobsOf: new Map() }],
  ])('tells: %s', (sentence, wrong) => {
    expect(verdictOn(played, { ...counts, ...wrong }, told).faults).toEqual([expect.stringContaining(sentence)]);
  });

  it('tells of a night that ended otherwise, of one without a digest, and of a notice that came twice', () => {
    const other = [...played.slice(0, 3), night(4, 'skipped', 'failed')];
    expect(verdictOn(other, counts, told).faults).toEqual(['night 4: expected skipped, got failed']);
    expect(verdictOn(played, counts, told.slice(1)).faults).toEqual(['1 nights have no digest']);
    expect(verdictOn(played, counts, [...told, ...told.slice(0, 1)]).faults).toEqual(['a notice was told twice']);
  });
});
