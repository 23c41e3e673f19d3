/** `critic score` and `critic evaluate`: what they ask the workflow for, what they refuse, and what a person sees at the end. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, describe, expect, it } from 'vitest';
import { critic, fakeServer } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-scoring-'));
afterAll(() => rmSync(folder, { recursive: true }));

const result = {
  id: 'score-demo-20261129-031500',
  purpose: 'score',
  pairs: 4,
  refused: 1,
  scored: 2,
  unreadable: 1,
  critic: 'champion demo, version 3 (run r)',
  metrics: null,
  files: { html: '/s/report.html', jsonl: '/s/scores.jsonl', csv: '/s/scores.csv' },
  summary: 'PAIR  SCORE\np0    3.20\n',
};
/** `faults`: what the worker says when it is asked whether the scoring can begin. */
const ended = (faults: string[] = []) =>
  fakeServer({
    scorePairs: { type: 'scorePairs', status: 'COMPLETED', result: () => result },
    'critic-caretaker': { type: 'caretaker', update: () => ({ faults }) },
    'r-1': {},
  });

describe('score', () => {
  it('starts a scoring of a table by a champion, with absolute paths, and shows what came of it', async () => {
    const server = ended();
    const { code, out } = await critic(['score', '--champion', 'demo', '--input', 'p.csv', '--samples', '8'], server);
    expect({ code }).toEqual({ code: 0 });
    const [[id, order] = ['']] = [...server.started];
    expect(id).toMatch(/^score-demo-\d{8}-\d{6}$/);
    expect(order).toMatchObject({
      schema: 1,
      id,
      purpose: 'score',
      critic: { champion: 'demo' },
      pairs: { kind: 'table', path: resolve('p.csv') },
      samples: 8,
    });
    expect(out).toContain('p0    3.20');
    expect(out).toContain('Scored 2 of 4 pairs: 1 could not be shown to the critic, 1 got an answer without a score');
    expect(out).toContain('JSON Lines:  /s/scores.jsonl');
  });

  it('prints its result as JSON', async () => {
    const { out } = await critic(['score', '--run', 'r-1', '--folder', '/f', '--json'], ended());
    expect(JSON.parse(out)).toMatchObject({ status: 'scored', scored: 2, files: result.files });
  });

  it.each([
    [['--champion', 'c'], 'got none of them'],
    [['--champion', 'c', '--input', 'a', '--folder', 'b'], 'got several of them'],
    [['--champion', 'c', '--source', 'a', '--edited', 'b'], 'together'],
    [['--input', 'a'], 'got neither'],
    [['--champion', 'c', '--run', 'r', '--input', 'a'], 'got both'],
    [['--champion', 'c', '--input', 'a', '--samples', '65'], 'at most 64, got 65'],
    [['--run', 'r', '--stage', 'base', '--input', 'a'], 'expected sft or grpo, got "base"'],
  ])('refuses %j', async (argv, sentence) => {
    const server = ended();
    const { code, err } = await critic(['score', ...argv], server);
    expect({ code, started: server.started.size }).toEqual({ code: 1, started: 0 });
    expect(err).toContain(sentence);
  });

  it('is not started where the worker does not find what it needs, and says all of it', async () => {
    const server = ended(['champion "no": expected one', '--input: expected a file']);
    const { code, err } = await critic(['score', '--champion', 'no', '--input', '/p.csv'], server);
    expect({ code, started: server.started.size }).toEqual({ code: 1, started: 0 });
    expect(err).toBe('critic: champion "no": expected one\n--input: expected a file\nNothing was started.\n');
    const asked = { purpose: 'score', critic: { champion: 'no' }, pairs: { kind: 'table', path: '/p.csv' } };
    expect(server.calls).toContain(
      `inquire critic-caretaker ${JSON.stringify({ name: 'scoring-check', input: asked })}`,
    );
  });

  it('by a champion is by the version that the worker found, also when it is resumed after a later promotion', async () => {
    const server = fakeServer({
      scorePairs: { type: 'scorePairs', status: 'COMPLETED', result: () => result },
      'critic-caretaker': { type: 'caretaker', update: () => ({ faults: [], version: 3 }) },
    });
    await critic(['score', '--champion', 'c', '--input', '/p'], server);
    expect([...server.started.values()]).toMatchObject([{ critic: { champion: 'c', version: 3 } }]);
  });

  it('that is being cancelled is waited for, and one that is resumed already is not resumed again', async () => {
    let looks = 0;
    const s = {
      type: 'scorePairs',
      cancelRequested: true as const,
      status: () => (looks++ < 2 ? 'RUNNING' : 'CANCELED'),
    };
    const waited = await critic(['score', '--resume', 's'], fakeServer({ s }));
    expect(waited.err).toContain('s is being cancelled: it is resumed once it has ended');
    expect(waited.err).not.toContain('goes on');
    expect(looks).toBe(3);
    const twice = fakeServer({
      s: { type: 'scorePairs', status: 'FAILED' },
      t: { type: 'scorePairs', memo: { resumes: 's' } },
    });
    const { code, err } = await critic(['score', '--resume', 's'], twice);
    expect({ code, err }).toEqual({ code: 1, err: 'critic: s: t resumes it already; watch that one\n' });
  });

  it('that is resumed stays on its cluster', async () => {
    const order = {
      schema: 1,
      id: 's',
      purpose: 'score',
      critic: { champion: 'c' },
      pairs: { kind: 'table', path: '/p' },
    };
    const payloads = [defaultPayloadConverter.toPayload(order)];
    const server = fakeServer({
      s: { type: 'scorePairs', status: 'FAILED', taskQueue: 'critic@a' },
      'critic-caretaker@a': { type: 'caretaker', update: () => ({ faults: [] }) },
      'critic-caretaker': { type: 'caretaker', update: () => ({ faults: ['asked on another cluster'] }) },
      scorePairs: { type: 'scorePairs', status: 'COMPLETED', result: () => result },
    });
    Object.assign(server.client.workflowService, {
      getWorkflowExecutionHistory: async () => ({
        history: { events: [{ workflowExecutionStartedEventAttributes: { input: { payloads } } }] },
      }),
    });
    const moved = await critic(['score', '--resume', 's', '--cluster', 'b'], server);
    expect(moved.err).toBe('critic: --cluster: expected that of s, cluster "a", got "b"\n');
    expect(server.started.size).toBe(0);
    expect(await critic(['score', '--resume', 's'], server)).toMatchObject({ code: 0 });
    expect([...server.queues.values()]).toEqual(['critic@a']);
  });

  it('is watched, seen and cancelled like a run, and never resumed as one', async () => {
    const runs = { s: { type: 'scorePairs', status: 'COMPLETED', result: () => result } };
    expect((await critic(['watch', 's'], fakeServer(runs))).out).toContain('Scored 2 of 4 pairs');
    expect((await critic(['status', 's'], fakeServer(runs))).out).toContain('Scored 2 of 4 pairs');
    const open = fakeServer({ s: { type: 'scorePairs' } });
    expect((await critic(['cancel', 's'], open)).code).toBe(0);
    const { code, err } = await critic(['resume', 's'], fakeServer({ s: { type: 'scorePairs', status: 'CANCELED' } }));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('got a workflow of type scorePairs') });
  });

  it('is called a scoring where a scoring is asked for, and one pair is one', async () => {
    const { err } = await critic(['score', '--resume', 'nope'], fakeServer({}));
    expect(err).toContain(
      'scoring "nope": expected the id of a scoring, as "critic score" or "critic evaluate" prints it',
    );
    const one = { ...result, pairs: 1, refused: 0, scored: 1, unreadable: 0 };
    const server = fakeServer({ s: { type: 'scorePairs', status: 'COMPLETED', result: () => one } });
    expect((await critic(['watch', 's'], server)).out).toContain('Scored 1 of 1 pair\n');
  });

  it('says by which command it goes on where it ended early, and paths whole', async () => {
    const stages = [{ stage: 'prompts-pairs' as const, status: 'done' as const }];
    const view = { run: 's', recipe: 'score', status: 'cancelled' as const, stages, questions: [] };
    const failed = () => {
      throw new WorkflowFailedError('it failed', new CancelledFailure('a person'), 'CANCEL_REQUESTED');
    };
    const gone = () => fakeServer({ s: { type: 'scorePairs', status: 'CANCELLED', view, result: failed } });
    expect((await critic(['status', 's'], gone())).out).toContain('    npm run critic -- score --resume s\n');
    expect((await critic(['cancel', 's'], gone())).err).toContain('npm run critic -- score --resume s');
    const html = `/${'folder/'.repeat(20)}report.html`;
    const done = { type: 'scorePairs', status: 'COMPLETED', view: { ...view, status: 'passed' as const } };
    const whole = { ...result, files: { ...result.files, html } };
    const { out } = await critic(['status', 's'], fakeServer({ s: { ...done, result: () => whole } }));
    expect(out).toContain(`Page:        ${html}\n`);
  });
});

it('scorings: what was begun, newest first, with how each stands; as JSON too', async () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 29, 3, minute));
  const listed = [
    { workflowId: 'evaluate-a-20261129-031000', minute: 10, name: 'COMPLETED', status: 'passed' },
    { workflowId: 'score-a-20261129-031500', minute: 15, name: 'FAILED', status: 'running' },
  ].map(({ workflowId, minute, name, status }) => ({
    workflowId,
    runId: `of-${workflowId}`,
    status: { name },
    searchAttributes: { CriticStatus: [status] },
    startTime: at(minute),
    closeTime: at(minute + 1),
    taskQueue: 'critic',
  }));
  expect((await critic(['scorings'], fakeServer({}, listed))).out).toBe(
    [
      'SCORING                     STATUS       BEGAN (UTC)',
      'score-a-20261129-031500     failed  2026-11-29 03:15',
      'evaluate-a-20261129-031000  scored  2026-11-29 03:10\n',
    ].join('\n'),
  );
  const { out } = await critic(['scorings', '--json'], fakeServer({}, listed));
  expect(JSON.parse(out)).toMatchObject([
    { purpose: 'score', status: 'failed' },
    { purpose: 'evaluate', status: 'scored' },
  ]);
  expect((await critic(['scorings'], fakeServer({}, []))).out).toBe('no such scorings\n');
});

describe('evaluate', () => {
  it('reads the mapping file, and asks for agreement', async () => {
    const mapping = join(folder, 'm.yaml');
    writeFileSync(mapping, 'columns: { mos: rating }\nscale: { from: 0, to: 100 }\n');
    const server = ended();
    await critic(['evaluate', 'demo', '--dataset', '/d', '--mapping', mapping], server);
    expect([...server.started.values()]).toMatchObject([
      {
        purpose: 'evaluate',
        critic: { champion: 'demo' },
        pairs: { kind: 'folder', path: '/d' },
        mapping: { columns: { mos: 'rating' }, scale: { from: 0, to: 100 }, direction: 'higher-is-better' },
      },
    ]);
  });

  it.each([
    ['scale: { from: 5, to: 1 }\n', 'mapping.scale: expected from below to'],
    ['columns: { rating: x }\n', 'mapping.columns'],
    ['table: ../other.csv\n', 'mapping.table: expected a path below the dataset’s folder'],
    ['colums: {}\n', 'mapping.colums: unknown key'],
  ])('says what is wrong with %j', async (text, sentence) => {
    const mapping = join(folder, 'wrong.yaml');
    writeFileSync(mapping, text);
    const server = ended();
    const { code, err } = await critic(['evaluate', 'demo', '--dataset', '/d', '--mapping', mapping], server);
    expect({ code, started: server.started.size }).toEqual({ code: 1, started: 0 });
    expect(err).toContain(sentence);
  });
});
