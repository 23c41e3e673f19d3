/** `critic status`: one look, as lines and as JSON. */
import { describe, expect, it } from 'vitest';
import { type RunView, stageStatuses } from '../../domain/jobs/progress.ts';
import { describeChanges, nothingTold } from '../../cli/run-view.ts';
import { critic, fakeServer, type FakeRun } from './fakes.ts';

const view: RunView = {
  run: 'r',
  recipe: 'demo',
  status: 'running',
  stages: [{ stage: 'sft', status: 'running', activityId: 'sft-a1-submit' }],
  questions: [],
};
const retrying: FakeRun = {
  view,
  heartbeats: { 'sft-a1-submit': { state: 'looking' } },
  failures: { 'sft-a1-submit': 'slurmrestd does not answer' },
};

describe('a look at a run', () => {
  it('shows its stages once, and why an activity is tried again', async () => {
    const { code, out } = await critic(['status', 'r'], fakeServer({ r: retrying }));
    expect(code).toBe(0);
    expect(out).toMatch(/^run r {2}running\n▶ sft +.*tried again after: slurmrestd does not answer\n$/);
    const { out: well } = await critic(['status', 'r'], fakeServer({ r: { ...retrying, failures: {} } }));
    expect(well).not.toContain('tried again');
  });

  it('says that its code cannot go on, and asks nothing of it', async () => {
    const server = fakeServer({ r: { ...retrying, taskTries: 4 } });
    const { code, out } = await critic(['status', 'r'], server);
    expect({ code, first: out.split('\n')[0] }).toEqual({
      code: 0,
      first: 'run r  stuck: its workflow code cannot go on',
    });
    const { out: json } = await critic(['status', 'r', '--json'], server);
    expect(JSON.parse(json)).toMatchObject({ stuck: true, view: null });
  });

  it('is JSON with --json, whose view is null while no worker answers', async () => {
    const server = fakeServer({ r: retrying, silent: { heartbeats: {} } });
    const { out } = await critic(['status', 'r', '--json'], server);
    expect(JSON.parse(out)).toEqual({
      run: 'r',
      workflow: 'RUNNING',
      stuck: false,
      seenAt: expect.stringMatching(/^\d{4}-/),
      view,
      progress: { 'sft-a1-submit': { state: 'looking', trouble: 'slurmrestd does not answer' } },
    });
    const silent = await critic(['status', 'silent', '--json'], server);
    expect(JSON.parse(silent.out)).toMatchObject({ view: null });
    expect((await critic(['status', 'silent'], server)).out).toContain('no worker answers');
  });

  it('is JSON of a paused run too, whatever its stages are', async () => {
    const paused: RunView = {
      ...view,
      status: 'paused',
      paused: { since: '2026-11-28T01:00:00.000Z', by: 'ada', note: 'a demo' },
      stages: stageStatuses.map((status) => ({ stage: 'sft', status })),
    };
    const { code, out } = await critic(['status', 'r', '--json'], fakeServer({ r: { view: paused } }));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ view: paused });
  });

  it('says what Temporal knows better than the run', async () => {
    const { out } = await critic(['status', 'r'], fakeServer({ r: { ...retrying, status: 'TERMINATED' } }));
    expect(out).toContain('Temporal says: TERMINATED');
  });
});

it('a log has each trouble once, however often the activity is tried', () => {
  const now = new Date('2026-11-28T19:00:00Z');
  const troubled = { 'sft-a1-submit': { state: 'looking', trouble: 'no answer' } };
  const first = describeChanges(nothingTold, view, troubled, now);
  expect(first.lines).toEqual([expect.stringContaining('tried again after: no answer')]);
  const between = describeChanges(first.told, view, { 'sft-a1-submit': { state: 'looking' } }, now);
  expect(between.lines).toEqual([]);
  expect(describeChanges(between.told, view, troubled, now).lines).toEqual([]);
});
