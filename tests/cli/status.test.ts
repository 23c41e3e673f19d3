/** `critic status`: one look, as lines and as JSON. */
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, TerminatedFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { type RunView, stageStatuses } from '../../domain/jobs/progress.ts';
import { describeChanges, nothingTold } from '../../cli/views/run-view.ts';
import { critic, fakeServer, type FakeRun, onTerminal } from './fakes.ts';

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
      end: null,
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

  it('says that it is being cancelled, and what it resumes, though its code does not', async () => {
    const run: FakeRun = { view, cancelRequested: true, memo: { resumes: 'an-earlier-one' } };
    const { out } = await critic(['status', 'r'], fakeServer({ r: run }));
    expect(out).toMatch(
      /^run r {2}cancelling\n {2}its jobs are ended, then the run\n {2}it resumes run an-earlier-one\n▶ sft/,
    );
    const { out: over } = await critic(['status', 'r'], fakeServer({ r: { ...run, status: 'CANCELLED' } }));
    expect(over).not.toContain('cancelling');
  });

  it('is as wide as the terminal', async () => {
    const wide: FakeRun = { ...retrying, failures: { 'sft-a1-submit': 'x'.repeat(90) } };
    const server = fakeServer({ r: wide });
    expect(await onTerminal(['status', 'r'], server, 150)).toContain('x'.repeat(90));
    expect(await onTerminal(['status', 'r'], server, 80)).toContain('x…');
    // A pipe has no width.
    expect((await critic(['status', 'r'], server)).out).toContain('x'.repeat(90));
  });
});

describe('a look at a run that has ended', () => {
  const report = `/store/${'deep/'.repeat(20)}runs/r/report.html`;
  const reasons = [`MainScore 0.500 is below 0.6${', and so on'.repeat(8)}`, 'no champion before'];
  const ended: RunView = {
    ...view,
    status: 'not-passed',
    stages: [
      { stage: 'gate', status: 'done', note: reasons.join('; ') },
      { stage: 'report', status: 'done', note: report },
    ],
  };
  const result = { passed: false, reasons, mainScore: 0.5, report, summary: 'table', reused: [] };

  it('has the verdict, every reason and the report whole, also in 80 columns', async () => {
    const server = fakeServer({ r: { view: ended, status: 'COMPLETED', result: () => result } });
    const piped = (await critic(['status', 'r'], server)).out;
    expect(piped).toContain(`\n  ${reasons[0]}\n  no champion before\n`);
    const out = await onTerminal(['status', 'r'], server, 80);
    expect(out).toContain(
      'run r  not-passed\n✓ gate\n✓ report\n\nMainScore: 0.500\nGate: NOT passed\n  MainScore 0.500 is',
    );
    expect(out.replaceAll(/\n +/g, ' ')).toContain(`${reasons[0]} no champion before`);
    expect(out).toContain(`\nReport:      ${report}\n`);
    const long = out.split('\n').filter((line) => line.length > 79);
    expect(long).toEqual([`Report:      ${report}`]);
    const { summary: _, ...end } = result;
    expect(JSON.parse((await critic(['status', 'r', '--json'], server)).out)).toMatchObject({ end });
  });

  it.each<[status: string, cause: Error, word: string, why: string]>([
    [
      'FAILED',
      ApplicationFailure.nonRetryable('dataset: no rows\nrow 3: no score', 'DataInvalid'),
      'failed',
      'r failed: dataset: no rows\nrow 3: no score',
    ],
    ['TERMINATED', new TerminatedFailure('by ada'), 'terminated', 'r was terminated: by ada'],
  ])('says why one that is %s has no verdict, and how it is resumed', async (status, cause, word, why) => {
    const fail = () => {
      throw new WorkflowFailedError('Workflow execution failed', cause, 'NON_RETRYABLE_FAILURE');
    };
    // Its own code could not say it: its view says that it runs.
    const server = fakeServer({ r: { ...retrying, status, result: fail } });
    const { out } = await critic(['status', 'r'], server);
    expect(out).toBe(
      `run r  ${word}\n✗ sft           cancelled\n\n${why}\nGo on from what it has saved with:\n    npm run critic -- resume r\n`,
    );
    expect(JSON.parse((await critic(['status', 'r', '--json'], server)).out)).toMatchObject({ end: { why } });
  });

  it('is told though no worker answers', async () => {
    const server = fakeServer({ r: { status: 'COMPLETED', result: () => result } });
    const { out } = await critic(['status', 'r'], server);
    expect(out).toContain('no worker answers');
    expect(out).toContain('Gate: NOT passed');
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
