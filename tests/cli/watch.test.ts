import { PassThrough } from 'node:stream';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { ServiceError, WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { type Ending, endingView, watch } from '../../cli/commands/watch.ts';
import { textOf } from '../../cli/shell.ts';
import { watchTerminal } from '../../cli/views/terminal.ts';
import { silenceOf } from '../../cli/workers.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { fallingSilent, critic, fakeServer, type FakeRun } from './fakes.ts';

const view: RunView = {
  run: 'r',
  recipe: 'demo',
  status: 'running',
  stages: [{ stage: 'sft', status: 'running', activityId: 'sft-a1-watch', jobId: '7', jobState: 'RUNNING' }],
  questions: [],
};
const question = {
  id: 'sft-1',
  stage: 'sft',
  sentence: 'the trainer exited with 65.',
  logTail: 'row 3\n',
  commands: ['npm run critic -- answer r sft retry'],
} as const;
const waiting: FakeRun = {
  view: { ...view, status: 'waiting', questions: [{ ...question, commands: [...question.commands] }] },
};
/** A run that waits, watched by a person who presses Ctrl-C once it is shown: at the second look, the first is before that. */
function interrupted(): FakeRun {
  let looks = 0;
  const status = () => {
    looks += 1;
    if (looks === 2) setImmediate(() => process.emit('SIGINT'));
    return 'RUNNING';
  };
  return { ...waiting, status };
}
const result = {
  passed: true,
  reasons: ['good'],
  mainScore: 0.5,
  report: '/store/on/another/machine/runs/r/report.html',
  summary: 'table\n',
  reused: ['dataset'],
};
const finished = (given: object = {}): FakeRun => ({
  status: 'COMPLETED',
  view,
  result: () => ({ ...result, ...given }),
});

describe('watch', () => {
  it.each<['run' | 'scoring', string]>([
    ['run', 'trainCritic'],
    ['scoring', 'scorePairs'],
  ])('says once of a %s that no worker answers, also of one that Temporal still remembers', async (what, type) => {
    const server = fakeServer({ r: { type, view } });
    const handle = server.client.workflow.getHandle('r');
    const query = fallingSilent(view, () => stop.abort());
    Object.assign(server.client.workflow, { getHandle: () => ({ ...handle, query }) });
    const stop = new AbortController();
    const told: string[] = [];
    const terminal = watchTerminal({ write: (text: string) => told.push(text) });
    const input = { run: 'r', terminal, failOnQuestion: false, signal: stop.signal, intervalMs: 20, silentMs: 30 };
    expect(await watch(server.client, input)).toEqual({ status: 'left', run: 'r' });
    const line = `${silenceOf(what)}\n`;
    expect(told.filter((text) => text === line)).toHaveLength(2);
    expect(told[0]).toBe(line);
  });

  it('goes on looking while Temporal is away, and says so once', async () => {
    const server = fakeServer({ r: { view } });
    const handle = server.client.workflow.getHandle('r');
    const down = Object.assign(new Error('14 UNAVAILABLE'), { code: 14, details: '', metadata: {} });
    let looks = 0;
    const described = async () => {
      looks += 1;
      if (looks === 2 || looks === 3) throw new ServiceError('Failed to describe workflow', { cause: down });
      if (looks === 4) stop.abort();
      return handle.describe();
    };
    Object.assign(server.client.workflow, { getHandle: () => ({ ...handle, describe: described }) });
    const stop = new AbortController();
    const told: string[] = [];
    const terminal = watchTerminal({ write: (text: string) => told.push(text) });
    const input = { run: 'r', terminal, failOnQuestion: false, signal: stop.signal, intervalMs: 1 };
    expect(await watch(server.client, input)).toEqual({ status: 'left', run: 'r' });
    expect(looks).toBe(4);
    expect(told.filter((text) => text.startsWith('Temporal gives no answer'))).toHaveLength(1);
  });

  it('shows a run with its live numbers until it ends, then what came of it, and exits with 0', async () => {
    let looks = 0;
    const server = fakeServer({
      r: {
        ...finished(),
        status: () => ((looks += 1) < 3 ? 'RUNNING' : 'COMPLETED'),
        heartbeats: { 'sft-a1-watch': { state: 'RUNNING', done: 1, total: 4, unit: 'steps' } },
      },
    });
    const { code, out, err } = await critic(['watch', 'r'], server);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('run r\nhttp://ui/namespaces/default/workflows/r\n');
    expect(out).toContain('▶ sft  1/4 steps  job 7\n');
    expect(out).toMatch(
      /\ntable\n\nGate: passed\n {2}good\nReused, not run again: dataset\nReport: +\/store\/on\/another/,
    );
    expect(server.calls).toEqual(['close']);
  });

  it('exits with 2 for a run that has not passed', async () => {
    const { code, out } = await critic(['watch', 'r'], fakeServer({ r: finished({ passed: false }) }));
    expect(code).toBe(2);
    expect(out).toContain('Gate: NOT passed');
  });

  it('ends well for a run of a release whose results had no table', async () => {
    const { code, out } = await critic(['watch', 'r'], fakeServer({ r: finished({ summary: undefined }) }));
    expect(code).toBe(0);
    expect(out).toContain('Gate: passed');
  });

  it('says what it cannot read of a result that another release wrote', async () => {
    const { code, err } = await critic(['watch', 'r'], fakeServer({ r: finished({ passed: 'yes' }) }));
    expect(code).toBe(1);
    expect(err).toBe(
      'critic: r has a result that this release cannot read: result.passed: expected boolean, got "yes"\n',
    );
  });

  it.each<[string, Error, string]>([
    ['failed', ApplicationFailure.nonRetryable('dataset: no rows', 'DataInvalid'), 'r failed: dataset: no rows'],
    ['was cancelled', new CancelledFailure('Workflow canceled'), 'r was cancelled: Workflow canceled'],
    ['was terminated', new TerminatedFailure('by ada'), 'r was terminated: by ada'],
  ])('exits with 1 and the reason for a run that %s', async (_name, cause, sentence) => {
    const fail = () => {
      throw new WorkflowFailedError('Workflow execution failed', cause, 'NON_RETRYABLE_FAILURE');
    };
    const { code, err } = await critic(['watch', 'r'], fakeServer({ r: { status: 'FAILED', view, result: fail } }));
    expect(code).toBe(1);
    expect(err).toBe(`critic: ${sentence}\nGo on from what it has saved with: npm run critic -- resume r\n`);
  });

  it('says in one sentence that there is no such run, or that it is no run', async () => {
    const server = fakeServer({ reaper: { type: 'reapOrphans' } });
    expect(await critic(['watch', 'nope'], server)).toMatchObject({
      code: 1,
      err: 'critic: run "nope": expected the id of a run, as "critic run" or "critic score" prints it; namespace "default" of this Temporal server has no such run\n',
    });
    expect(await critic(['watch', 'reaper'], server)).toMatchObject({
      code: 1,
      err: 'critic: run "reaper": expected a run, got a workflow of type reapOrphans\n',
    });
  });

  it('goes on showing a waiting run, and leaves it at Ctrl-C with exit code 130', async () => {
    const server = fakeServer({ r: interrupted() });
    const { code, out } = await critic(['watch', 'r'], server);
    expect(code).toBe(130);
    expect(out).toContain('The run waits for you (sft): the trainer exited with 65.');
    expect(out).toContain('The run goes on. Watch it again: npm run critic -- watch r\n');
    expect(server.calls).toEqual(['close']);
  });
});

describe('Ctrl-C at a terminal', () => {
  it.each<[string, string, string[], string]>([
    ['y', 'y\n', ['cancel r', 'close'], 'cancelling run r and its jobs; see it end: npm run critic -- watch r\n'],
    ['nothing', '\n', ['close'], 'The run goes on.'],
  ])('asks whether to cancel; at %s', async (_name, typed, calls, sentence) => {
    const server = fakeServer({ r: interrupted() });
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    stdin.push(typed);
    const { code, out } = await critic(['watch', 'r'], server, { stdin });
    expect(code).toBe(130);
    expect(out).toContain('Cancel the run and its jobs? [y/N]');
    expect(out).toContain(sentence);
    expect(server.calls).toEqual(calls);
  });
});

describe('watch --json', () => {
  const json = async (run: FakeRun, argv = ['watch', 'r', '--json']) => {
    const { code, out, err } = await critic(argv, fakeServer({ r: run }));
    return { code, err, value: endingView.schema.parse(JSON.parse(out)) };
  };

  it('prints the ending alone to stdout; the run is shown on stderr', async () => {
    const { code, err, value } = await json(finished());
    expect(code).toBe(0);
    expect(err).toContain('▶ sft');
    expect(value).toEqual({ status: 'ended', run: 'r', page: 'http://ui/namespaces/default/workflows/r', ...result });
  });

  it('says that the watcher has left', async () => {
    expect(await json(interrupted())).toMatchObject({ code: 130, value: { status: 'left', run: 'r' } });
  });

  it('prints nothing to stdout for a run that failed', async () => {
    const fail = () => {
      throw new WorkflowFailedError('failed', new CancelledFailure('Workflow canceled'), 'NON_RETRYABLE_FAILURE');
    };
    const server = fakeServer({ r: { status: 'FAILED', view, result: fail } });
    expect(await critic(['watch', 'r', '--json'], server)).toMatchObject({ code: 1, out: '' });
  });
});

describe('the end of a run', () => {
  const end: Ending = {
    status: 'ended',
    run: 'r',
    summary: 'table\n',
    passed: false,
    reasons: ['MainScore 0.100 is below 0.3'],
    mainScore: 0.1,
    reused: ['dataset', 'synthesis'],
    report: '/s/runs/r/report.html',
    page: 'http://127.0.0.1:17280/x',
  };

  it('shows table, verdict, what was reused, report and UI', () => {
    expect(endingView.lines(end)).toEqual([
      '',
      'table',
      '',
      'Gate: NOT passed',
      '  MainScore 0.100 is below 0.3',
      'Reused, not run again: dataset, synthesis',
      'Report:      /s/runs/r/report.html',
      'Temporal UI: http://127.0.0.1:17280/x',
    ]);
    expect(endingView.lines({ ...end, passed: true, reused: [], page: undefined })).toHaveLength(6);
  });

  it.each<Ending>([
    end,
    { status: 'waiting', run: 'r', questions: [{ ...question, commands: [] }] },
    { status: 'left', run: 'r' },
  ])('loses nothing as JSON: $status', (value) => {
    expect(JSON.parse(textOf(endingView, value, { json: true }))).toEqual(value);
  });
});
