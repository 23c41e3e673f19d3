import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SynthesisSettings } from '../../../../domain/recipe.ts';
import { activityEnvironment, pause, rejection } from '../../fixtures.ts';
import type { ScriptedBatches } from '../../teacher/scripted-batches.ts';
import { batchSettings, readJsonLines, SynthesisBench } from '../synthesis-fixtures.ts';

const rows = 20;
/** 1,000 tokens at $2.50 and 100 at $10 a million, half off. */
const rowUsd = 0.0035 / 2;
let bench: SynthesisBench;
let server: ScriptedBatches;

vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  bench = await SynthesisBench.make(rows);
  server = bench.teacher.batches;
});
afterEach(async () => {
  await bench.teacher.stop();
});

function run(
  batch: Partial<SynthesisSettings['batch']> = {},
  more: Partial<SynthesisSettings> = {},
  environment = activityEnvironment(),
) {
  return bench.run({ ...batchSettings(batch), ...more }, environment);
}

describe('a synthesis by batches', () => {
  it('asks every row once, in shards, at the discounted price, and leaves nothing behind', async () => {
    const artifact = await run({ requests_per_batch: 8 });
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    expect(server.sizes()).toEqual([8, 8, 4]);
    expect(artifact.counts).toEqual({ rows, kept: rows, set_aside: 0, requests: rows, answers: rows });
    expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd);
    const card = await bench.card(artifact);
    expect(card).toMatchObject({ answers_by_api: { chat: 0, batch: rows }, uncertain_requests: [] });
    expect(card['usd_saved_by_batch']).toBeCloseTo(rows * rowUsd);
    expect(bench.teacher.requests).toEqual([]);
    expect([...server.files.keys()]).toEqual([]);
    expect(await leftShards()).toEqual([]);
  });

  it('sends what chat completions would be sent', async () => {
    await bench.run({ tries_per_row: 1 });
    const chat = bench.teacher.requests.find(({ instruction }) => instruction.includes('number 0 '));
    const other = await SynthesisBench.make(rows);
    const contents: string[] = [];
    other.teacher.batches.fault = (kind) => {
      if (kind === 'POST batches')
        contents.push(...[...other.teacher.batches.files.values()].map(({ content }) => content));
      return undefined;
    };
    await other.run(batchSettings());
    await other.teacher.stop();
    const [line = ''] = (contents[0] ?? '').split('\n');
    const sent: unknown = JSON.parse(line);
    expect(sent).toMatchObject({ body: { ...chat?.body }, method: 'POST', url: '/v1/chat/completions' });
  });

  it('cuts shards by their size', async () => {
    await run({ shard_bytes: 12_000 });
    expect(server.sizes().length).toBeGreaterThan(2);
    expect(server.sizes().reduce((sum, size) => sum + size, 0)).toBe(rows);
  });

  it('lets no more tokens stand in the queue than it may', async () => {
    const artifact = await run({ queued_tokens: 6 * (await promptTokens()), requests_per_batch: 3 });
    expect(artifact.counts).toMatchObject({ kept: rows });
    expect(server.mostStanding).toBe(6);
  });

  it('is finished by chat completions, and the other way round, and pays no row twice', async () => {
    server.end = (batch) => (batch === 1 ? undefined : { status: 'never' });
    const environment = activityEnvironment();
    server.fault = (kind) => {
      if (kind === 'GET batches ID' && server.batches[0]?.status === 'completed') pause(environment);
      return undefined;
    };
    await rejection(run({ requests_per_batch: 8 }, {}, environment));
    server.fault = () => undefined;
    const artifact = await bench.run();
    expect(server.batches.map(({ status }) => status)).toEqual(['completed', 'cancelled', 'cancelled']);
    expect(bench.teacher.requests).toHaveLength(rows - 8);
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    expect(artifact.cost.usd).toBeCloseTo(8 * rowUsd + (rows - 8) * rowUsd * 2);
    expect(await run()).toMatchObject({ key: artifact.key, reused: true });
  });
});

describe('batches that do not bring everything', () => {
  it('expire: what they did is kept, only the rest is submitted again', async () => {
    server.end = (batch) => (batch === 1 ? { status: 'expired', done: 7 } : undefined);
    const artifact = await run();
    expect(server.sizes()).toEqual([rows, rows - 7]);
    expect(server.paidTwice()).toEqual([]);
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows, requests: 2 * rows - 7 });
    expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd);
  });

  it.each([
    ['a 500', { kind: 'status', status: 500 }],
    ['a 429', { kind: 'status', status: 429 }],
    ['an error without a response', { kind: 'error', code: 'server_error' }],
  ] as const)('with %s for some rows submit those again', async (_name, result) => {
    server.line = ({ ofRow, instruction }) => (ofRow === 1 && /number [3-5] /.test(instruction) ? result : undefined);
    const artifact = await run();
    expect(server.sizes()).toEqual([rows, 3]);
    expect(server.paidTwice()).toEqual([]);
    expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd);
  });

  it('complete without a result for a row: it is asked again, and what it may have cost is counted and named', async () => {
    server.line = ({ ofRow, instruction }) =>
      ofRow === 1 && instruction.includes('number 4 ') ? { kind: 'missing' } : undefined;
    const artifact = await run();
    expect(server.sizes()).toEqual([rows, 1]);
    const { uncertain_requests: uncertain } = await bench.card(artifact);
    expect(uncertain).toMatchObject([{ id: 'p4' }]);
    expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd + (uncertain[0]?.usd ?? 0));
  });

  it.each([
    ['refusal', { kind: 'completion', content: null, refusal: 'no' }],
    ['content-filter', { kind: 'status', status: 400, code: 'content_filter' }],
    ['too-short', { kind: 'completion', content: '{"alignment":"a","fidelity":"b","quality":"c","overall":"d"}' }],
  ] as const)('with a %s have that row asked again in the next round', async (reason, result) => {
    server.line = ({ ofRow, instruction }) => (ofRow === 1 && instruction.includes('number 4 ') ? result : undefined);
    const artifact = await run();
    expect(server.sizes()).toEqual([rows, 1]);
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows + 1 });
    expect((await bench.card(artifact)).rejected_answers_by_reason).toEqual({ [reason]: 1 });
  });

  it('fail for a retry of the whole activity when a row never gets an answer', async () => {
    server.line = ({ instruction }) =>
      instruction.includes('number 4 ') ? { kind: 'status', status: 500 } : undefined;
    expect(await rejection(run())).toMatchObject({ type: 'TeacherUnavailable', nonRetryable: false });
    server.line = () => undefined;
    const artifact = await run();
    expect(artifact.counts).toMatchObject({ kept: rows });
    expect(server.paidTwice()).toEqual([]);
  });

  it('are read again when the file of results is cut off', async () => {
    server.fault = (kind, number) => (kind === 'GET files ID content' && number === 1 ? { kind: 'cut' } : undefined);
    const artifact = await run();
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows });
    expect(server.sizes()).toEqual([rows]);
  });
});

describe('a batch that fails its validation', () => {
  it('for the queue limit is halved until it fits, and nothing is lost', async () => {
    server.queueLimit = 6;
    const artifact = await run();
    expect(server.sizes().slice(0, 3)).toEqual([20, 10, 5]);
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows, requests: rows });
    expect(server.mostStanding).toBeLessThanOrEqual(6);
    expect(server.paidTwice()).toEqual([]);
  });

  it('for the queue limit with a single request is tried again later', async () => {
    server.queueLimit = 0;
    server.fault = (kind, number) => {
      if (kind === 'POST batches' && number > 7) server.queueLimit = 100;
      return undefined;
    };
    const environment = activityEnvironment();
    const artifact = await run({}, {}, environment);
    expect(server.sizes().slice(0, 7)).toEqual([20, 10, 5, 2, 1, 1, 1]);
    const full = /the batch queue is full, the next try in \d+ s$/;
    expect(environment.heartbeats).toContainEqual(expect.objectContaining({ note: expect.stringMatching(full) }));
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows });
  });

  it.each([
    ['billing_hard_limit_reached', 'QuotaExhausted', 'add credit'],
    ['invalid_json_line', 'TeacherRefused', 'invalid_json_line: scripted'],
  ])('for %s asks the operator, and goes on when told', async (code, type, sentence) => {
    server.end = (batch) => (batch === 1 ? { status: 'failed', code } : undefined);
    const failure = await rejection(run());
    expect(failure).toMatchObject({ type, nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining(sentence));
    expect((await run()).counts).toMatchObject({ kept: rows, answers: rows, requests: rows });
  });
});

/** Prompt tokens of a request, as estimated for the first row. */
async function promptTokens(): Promise<number> {
  const other = await SynthesisBench.make(1);
  await other.run(batchSettings());
  await other.teacher.stop();
  const [intent] = await readJsonLines(join(await other.answersFolder(), 'batches.jsonl'));
  return Number(/"tokens":(\d+)/.exec(JSON.stringify(intent))?.[1]) + 2;
}

async function leftShards(): Promise<string[]> {
  return readdir(join(await bench.answersFolder(), 'shards'));
}
