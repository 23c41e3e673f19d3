/** `critic runs` without a server: what is asked of it, what is refused, and the table. */
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { aTime, type RunRow, runsView } from '../../cli/commands/runs.ts';
import { textOf } from '../../cli/shell.ts';
import { critic, fakeServer } from './fakes.ts';

const row: RunRow = {
  run: 'a-recipe-of-22-letters-20261123-190000',
  recipe: 'a-recipe-of-22-letters',
  cluster: null,
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

  it('names clusters where a run is on one with a name, and still fits', () => {
    const onA: RunRow = { ...row, cluster: 'a-long-name-of-24-chars.', score: -0.123 };
    const lines = textOf(runsView, [row, onA, { ...row, run: 'b', cluster: 'a' }], {}).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.map((line) => line.split(/ +/).at(-1))).toEqual(['CLUSTER', '19:00', 'a-long-…', 'a']);
    // A pipe has no width.
    const whole = runsView.lines([row, onA], Infinity);
    expect(whole.at(-1)).toMatch(/ waiting: predict-base .* a-long-name-of-24-chars\.$/);
  });
});

describe('the order of runs', () => {
  const at = (hour: number) => new Date(Date.UTC(2026, 10, 28, hour));
  const info = (workflowId: string, began: number, ended?: number) => ({
    workflowId,
    runId: `of-${workflowId}`,
    taskQueue: 'critic',
    status: { name: ended === undefined ? 'RUNNING' : 'COMPLETED' },
    searchAttributes: { CriticStatus: [ended === undefined ? 'running' : 'passed'], CriticStage: ['dataset'] },
    startTime: at(began),
    ...(ended === undefined ? {} : { closeTime: at(ended) }),
  });
  /** As Temporal lists them: open ones, then those that ended, newest end first. */
  const listed = [
    info('open', 1),
    info('long', 2, 20),
    info('newest', 10, 15),
    info('newer', 9, 14),
    info('old', 2, 3),
    info('oldest', 0, 1),
  ];
  let read: string[] = [];
  function* reading(query: string) {
    const open = query.endsWith("ExecutionStatus = 'Running'");
    for (const one of listed.filter(({ status }) => (status.name === 'RUNNING') === open)) {
      read.push(one.workflowId);
      yield one;
    }
  }
  const heartbeats = { 'sft-a1-watch': {}, 'predict-base-a1-watch': {}, 'run-prepare': {} };
  const server = () => {
    read = [];
    return fakeServer({ open: { cancelRequested: true, heartbeats } }, reading);
  };
  const ids = async (...flags: string[]) => {
    const { out } = await critic(['runs', '--json', ...flags], server());
    return z
      .array(z.object({ run: z.string() }))
      .parse(JSON.parse(out))
      .map(({ run }) => run);
  };

  it('is by when they began, whether they go on or not, and holds under a limit', async () => {
    expect(await ids()).toEqual(['newest', 'newer', 'long', 'old', 'open', 'oldest']);
    expect(await ids('--limit', '1')).toEqual(['newest']);
    expect(await ids('--limit', '3')).toEqual(['newest', 'newer', 'long']);
  });

  it('does not read on where no newer run can follow', async () => {
    expect(await ids('--limit', '2')).toEqual(['newest', 'newer']);
    expect(read.at(-1)).toBe('old'); // it ended before two others began
    expect(await ids('--limit', '6')).toHaveLength(6);
    expect(read.at(-1)).toBe('oldest');
  });

  it('does not read more open ones than are asked for, and has one that ends meanwhile once', async () => {
    const many = [info('c', 9), info('b', 8), info('a', 7)];
    read = [];
    function* racing(query: string): Generator<object> {
      if (!query.endsWith("ExecutionStatus = 'Running'")) return yield info('c', 9, 10);
      for (const one of many) {
        read.push(one.workflowId);
        yield one;
      }
    }
    const fake = fakeServer({ c: {}, b: {}, a: {} }, racing);
    const { out } = await critic(['runs', '--json', '--limit', '1'], fake);
    expect(JSON.parse(out)).toMatchObject([{ run: 'c', endedAt: at(10).toISOString() }]);
    expect(read).toEqual(['c', 'b']);
  });

  it('has one that was reset once, as its newest execution stands', async () => {
    const before = { ...info('open', 0, 2), runId: 'before', status: { name: 'TERMINATED' } };
    const twice = [info('gone', 3, 5), { ...info('gone', 2, 4), runId: 'before-gone', status: { name: 'TERMINATED' } }];
    const fake = fakeServer({ open: {} }, (query) =>
      query.endsWith("ExecutionStatus = 'Running'") ? [info('open', 1)] : [...twice, before],
    );
    const { out } = await critic(['runs', '--json'], fake);
    expect(JSON.parse(out)).toMatchObject([
      { run: 'gone', status: 'passed', startedAt: at(3).toISOString() },
      { run: 'open', status: 'running', endedAt: null },
    ]);
  });

  it('says that a run pauses, as the run tells it', async () => {
    const pausing = { ...info('p', 1), searchAttributes: { CriticStatus: ['pausing'], CriticStage: ['sft'] } };
    const { out } = await critic(['runs', '--status', 'pausing'], fakeServer({ p: {} }, [pausing]));
    expect(out).toMatch(/^p +pausing: sft /m);
  });

  it('has the stages that are under way, and says that one is being cancelled', async () => {
    const { out } = await critic(['runs'], server());
    expect(out).toMatch(/^open +cancelling: sft\+predict-base /m);
    expect(await ids('--status', 'cancelling')).toEqual(['open']);
    expect(await ids('--status', 'running')).toEqual([]);
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
