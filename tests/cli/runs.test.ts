/** `critic runs` without a server: what is asked of it, what is refused, and the table. */
import { describe, expect, it } from 'vitest';
import { aTime, type RunRow, runsView } from '../../cli/commands/runs.ts';
import { textOf } from '../../cli/shell.ts';
import { critic } from './fakes.ts';

const row: RunRow = {
  run: 'a-recipe-of-22-letters-20261123-190000',
  recipe: 'a-recipe-of-22-letters',
  status: 'waiting',
  stage: 'predict-base',
  score: null,
  startedAt: '2026-11-23T19:00:00.000Z',
  endedAt: null,
};

describe('the table of runs', () => {
  it('fits 80 columns, with the stage of those that go on', () => {
    const done: RunRow = { ...row, run: 'b', status: 'passed', stage: 'report', score: -0.12345 };
    const lines = textOf(runsView, [row, done], {}).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.map((line) => line.split(/ {2,}| (?=-?\d)/))).toMatchObject([
      ['RUN', 'STATUS', 'SCORE', 'BEGAN (UTC)'],
      ['a-recipe-of-22-letters-20261123-190000 waiting: predict-base', '11-23', '19:00'],
      ['b', 'passed', '-0.123', '11-23', '19:00'],
    ]);
  });
});

describe('what is asked for', () => {
  it('reads ages and dates', () => {
    const now = new Date('2026-11-28T12:00:00Z');
    expect(['36h', '7d', '2w', '2026-11-20'].map((text) => aTime(text, now).toISOString())).toEqual([
      '2026-11-27T00:00:00.000Z',
      '2026-11-21T12:00:00.000Z',
      '2026-11-14T12:00:00.000Z',
      '2026-11-20T00:00:00.000Z',
    ]);
  });

  it.each([
    ['--since', 'yesterday', /expected an age such as 36h/],
    ['--since', '2026-13-40', /expected an age such as 36h/],
    ['--status', 'bad', /expected one of running, waiting/],
    ['--recipe', "x' OR '1'='1", /expected the name of a recipe/],
    ['--limit', '0', /at least 1/],
  ])('%s %s is refused', async (flag, value, message) => {
    expect(await critic(['runs', flag, value])).toMatchObject({ code: 1, err: expect.stringMatching(message) });
  });
});
