/** `critic experiment …` against a fake server: what is started, shown and refused. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, describe, expect, it } from 'vitest';
import { type PackedExperiment, unpacked } from '../../domain/experiment/packing.ts';
import { CliError } from '../../cli/cli-error.ts';
import { watchExperiment } from '../../cli/commands/experiment/follow.ts';
import { seedsOf } from '../../cli/commands/experiment/run.ts';
import type { MemberView } from '../../domain/experiment/experiment.ts';
import { fallingSilent, critic, fakeServer } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-cli-experiment-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = join(folder, 'data');
mkdirSync(data);
const recipe = fileURLToPath(new URL('../../recipes/smoke.yaml', import.meta.url));

const file = (name: string, arms: object = { a: {}, b: { 'grpo.steps': 3 } }) => {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(path, JSON.stringify({ name, question: 'Which?', recipe, baseline: 'a', arms }));
  return path;
};
const members: MemberView[] = [
  { arm: 'a', seed: 1, status: 'passed', run: 'e.a-20261129-030000', mainScore: 0.5 },
  { arm: 'b', seed: 1, status: 'failed', run: 'e.b-20261129-030000', mainScore: null, sentence: 'the dataset is bad' },
];
const result = { id: 'experiment-e-1', report: '/s/report.html', summary: 'arm  MainScore\na    0.500\n', members };
const type = 'runExperiment';

const payloads = (value: unknown) => ({ payloads: [defaultPayloadConverter.toPayload(value)] });
const begun = (eventId: number, arm: string) => [
  {
    eventId,
    startChildWorkflowExecutionInitiatedEventAttributes: { input: payloads({ experiment: { arm, seed: 1 } }) },
  },
  { childWorkflowExecutionStartedEventAttributes: child(eventId, arm) },
];
const child = (initiatedEventId: number, arm: string) => ({
  initiatedEventId,
  workflowExecution: { workflowId: `e.${arm}-1` },
});
/** a passed, b failed, c goes on, d never began. */
const events = [
  {
    eventId: 1,
    workflowExecutionStartedEventAttributes: {
      input: payloads({
        name: 'e',
        question: 'Which?',
        members: ['a', 'b', 'c', 'd'].map((arm) => ({
          arm,
          seed: 1,
          recipe: {},
          ...(arm === 'd' || arm === 'c' ? { resumes: `e.${arm}-0` } : {}),
        })),
      }),
    },
  },
  ...begun(5, 'a'),
  ...begun(7, 'b'),
  {
    childWorkflowExecutionCompletedEventAttributes: {
      ...child(5, 'a'),
      result: payloads({ passed: true, mainScore: 0.5, reasons: [] }),
    },
  },
  {
    childWorkflowExecutionFailedEventAttributes: {
      ...child(7, 'b'),
      failure: { message: 'outer', cause: { message: 'the dataset is bad' } },
    },
  },
  ...begun(9, 'c'),
];

describe('critic experiment run', () => {
  it('starts all experiments of the files and shows their tables', async () => {
    const server = fakeServer({ [type]: { type, status: 'COMPLETED', silent: true, result: () => result } });
    const files = [file('one'), file('two')];
    const { code, out, err } = await critic(
      ['experiment', 'run', ...files, '--dataset', data, '--seeds', '1,2'],
      server,
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const ids = [...server.started.keys()];
    expect(ids).toEqual([
      expect.stringMatching(/^experiment-one-\d{8}-\d{6}$/),
      expect.stringMatching(/^experiment-two-\d{8}-\d{6}$/),
    ]);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what was sent
    expect(unpacked(server.started.get(ids[0] ?? '') as PackedExperiment)).toMatchObject({
      name: 'one',
      seeds: [1, 2],
      members: [{ arm: 'a' }, { arm: 'b', recipe: { grpo: { steps: 3 }, dataset: { path: data } } }, {}, {}],
    });
    expect(out).toContain('a    0.500\nReport: /s/report.html');
  });

  it('starts none if a file has a fault', async () => {
    const server = fakeServer({});
    const files = [file('good'), file('bad', { a: {}, b: { 'grpo.stepz': 3 } })];
    const { code, err } = await critic(['experiment', 'run', ...files, '--dataset', data], server);
    expect(code).toBe(1);
    expect(err).toMatch(/experiment ".*bad\.yaml": 1 fault\n {2}arm b: recipe\.grpo\.stepz: unknown key/);
    expect(server.started.size).toBe(0);
  });

  it('tells the faults of all files at once', async () => {
    const files = [file('bad-a', { a: {}, b: { 'grpo.x': 3 } }), join(folder, 'gone.yaml')];
    const { err } = await critic(['experiment', 'run', ...files, '--dataset', data], fakeServer({}));
    expect(err).toMatch(/arm b: recipe\.grpo\.x: unknown key\n.*experiment ".*gone\.yaml": .*no such file/);
  });

  it('takes whole numbers for seeds, and nothing else', () => {
    expect(seedsOf('1,2,30')).toEqual([1, 2, 30]);
    for (const text of ['', '1,', 'a', '-1', '1.5', '2147483648', '1 2']) {
      expect(() => seedsOf(text)).toThrow('expected seeds');
    }
  });
});

describe('an experiment', () => {
  it('is shown with its runs, and after its end with its table', async () => {
    const ended = fakeServer({ x: { type, status: 'COMPLETED', result: () => result } });
    const { out } = await critic(['experiment', 'status', 'x'], ended);
    expect(out).toBe(
      [
        'x: completed',
        '  a, seed 1: passed 0.500 e.a-20261129-030000',
        '  b, seed 1: failed e.b-20261129-030000',
        '    the dataset is bad',
        '',
        'arm  MainScore',
        'a    0.500',
        'Report: /s/report.html',
        '',
      ].join('\n'),
    );
    const json = await critic(['experiment', 'status', 'x', '--json'], ended);
    expect(JSON.parse(json.out)).toMatchObject({ id: 'x', status: 'completed', members });
  });

  it('without a worker says so, and shows its runs as Temporal has recorded them', async () => {
    const { out } = await critic(['experiment', 'status', 'x'], fakeServer({ x: { type, silent: true, events } }));
    expect(out).toBe(
      [
        'x: running',
        '  no worker answers; this is what Temporal has recorded',
        '  a, seed 1: passed 0.500 e.a-1',
        '  b, seed 1: failed e.b-1',
        '    the dataset is bad',
        '  c, seed 1: running e.c-1',
        '  d, seed 1: pending',
        '',
      ].join('\n'),
    );
  });

  it('whose report is tried again says why', async () => {
    const x = {
      type,
      silent: true as const,
      events,
      heartbeats: { '9': null },
      failures: { '9': 'the store is away' },
    };
    const { out } = await critic(['experiment', 'status', 'x', '--json'], fakeServer({ x }));
    expect(JSON.parse(out)).toMatchObject({ trouble: 'a step of it is tried again: the store is away' });
  });

  it('whose workflow code cannot go on says so', async () => {
    const { out } = await critic(
      ['experiment', 'status', 'x'],
      fakeServer({ x: { type, events, taskTries: 4, silent: true } }),
    );
    expect(out).toContain('its workflow code cannot go on');
  });

  it('that has failed is shown with the reason and its runs, and resumed without a worker that knows it', async () => {
    const fail = () => {
      throw new CliError('x failed: the report is bad');
    };
    const x = { type, status: 'FAILED', silent: true as const, result: fail, events };
    const server = fakeServer({
      x,
      [type]: { type, status: 'COMPLETED', silent: true, result: () => result },
      'e.b-1': { status: 'FAILED' },
      'e.c-1': {},
      'e.d-0': { status: 'CANCELLED' },
    });
    const { out } = await critic(['experiment', 'status', 'x'], server);
    expect(out).toContain('x: failed\n  x failed: the report is bad\n  a, seed 1: passed 0.500 e.a-1\n');
    expect(await critic(['experiment', 'resume', 'x'], server)).toMatchObject({ code: 0 });
    const [given] = server.started.values();
    // a has passed, b ended early, c goes on by itself, d never began: it goes on from where it would have.
    expect(given).toMatchObject({ name: 'e' });
    expect(JSON.stringify(given).match(/"resumes":"[^"]+"/g)).toEqual(['"resumes":"e.b-1"', '"resumes":"e.d-0"']);
  });

  it('that is resumed stays on its cluster', async () => {
    const x = { type, status: 'FAILED', silent: true as const, taskQueue: 'critic@a', events };
    const server = fakeServer({ x, [type]: { type, status: 'COMPLETED', silent: true, result: () => result } });
    const { err } = await critic(['experiment', 'resume', 'x', '--cluster', 'b'], server);
    expect(err).toBe('critic: --cluster: expected that of x, cluster "a", got "b"\n');
    expect(server.started.size).toBe(0);
  });

  it('that failed is said on watching, with exit code 1', async () => {
    const fail = () => {
      throw new Error('unused');
    };
    const server = fakeServer({ x: { type, status: 'FAILED', silent: true, result: fail } });
    const end = await watchExperiment(server.client, 'x', () => undefined, new AbortController().signal, 1);
    expect(end).toEqual({ status: 'failed', id: 'x', sentence: 'unused' });
  });

  it('says once that no worker answers, also of one that Temporal still remembers', async () => {
    const server = fakeServer({ x: { type } });
    const view = { id: 'x', name: 'e', status: 'running', members };
    const stop = new AbortController();
    const query = fallingSilent(view, () => stop.abort());
    const handle = server.client.workflow.getHandle('x');
    Object.assign(server.client.workflow, { getHandle: () => ({ ...handle, query }) });
    const told: string[] = [];
    const say = (line: string) => void told.push(line);
    await watchExperiment(server.client, 'x', say, stop.signal, 20, 30);
    const line = expect.stringMatching(/^x: no worker answers: the experiment stands still until one does/);
    expect(told).toEqual([line, expect.stringContaining('passed'), expect.stringContaining('failed'), line]);
  });

  it('is followed on when Temporal is back, and that it was away is said once', async () => {
    const server = fakeServer({ x: { type, status: 'COMPLETED', silent: true, result: () => result } });
    const handle = server.client.workflow.getHandle('x');
    const down = Object.assign(new Error('14 UNAVAILABLE'), { code: 14, details: '', metadata: {} });
    let looks = 0;
    const described = async () => {
      looks += 1;
      if (looks < 3) throw new ServiceError('Failed to describe workflow', { cause: down });
      return handle.describe();
    };
    Object.assign(server.client.workflow, { getHandle: () => ({ ...handle, describe: described }) });
    const told: string[] = [];
    const say = (line: string) => void told.push(line);
    const end = await watchExperiment(server.client, 'x', say, new AbortController().signal, 1);
    expect(end.status).toBe('ended');
    expect(told).toEqual([expect.stringContaining('x: Temporal gives no answer')]);
  });

  it('is cancelled while it goes on, and not afterwards', async () => {
    const server = fakeServer({ x: { type }, y: { type, status: 'COMPLETED' } }, undefined, []);
    expect(await critic(['experiment', 'cancel', 'x'], server)).toMatchObject({
      code: 0,
      err: expect.stringContaining('no worker asks for work: x ends, and its runs with it, once one is back'),
    });
    expect(server.calls).toContain('cancel x');
    const { err } = await critic(['experiment', 'cancel', 'y'], server);
    expect(err).toContain('experiment y: expected one that goes on, got one that has ended (COMPLETED)');
  });

  it.each([
    ['that is not known', 'gone', 'expected the id of an experiment, as "critic experiment list" prints it'],
    ['that is a run', 'r', 'expected an experiment, got a workflow of type trainCritic'],
  ])('%s is told', async (_what, id, sentence) => {
    const { code, err } = await critic(['experiment', 'status', id], fakeServer({ r: {} }));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(sentence) });
  });

  it('that goes on is not resumed', async () => {
    const { err } = await critic(['experiment', 'resume', 'x'], fakeServer({ x: { type } }));
    expect(err).toContain('experiment x: expected one that has ended, got one that goes on');
  });
});
