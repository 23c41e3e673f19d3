import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/activity';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SynthesisSettings } from '../../../../domain/recipe.ts';
import { activityEnvironment, pause, rejection } from '../../fixtures.ts';
import type { ScriptedBatches } from '../../teacher/scripted-batches.ts';
import { batchSettings, SynthesisBench } from '../synthesis-fixtures.ts';

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

describe('an answer to a POST that never came', () => {
  it.each([
    ['POST files', 'cut', 1],
    ['POST files', 'drop', 2],
    ['POST batches', 'cut', 1],
    ['POST batches', 'drop', 2],
  ] as const)('%s, %s: the server is asked what became of it, and one batch is made', async (lost, kind, posts) => {
    server.fault = (request, number) => (request === lost && number === 1 ? { kind } : undefined);
    const artifact = await run();
    expect(server.requests.filter((request) => request === lost)).toHaveLength(posts);
    expect(server.sizes()).toEqual([rows]);
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows });
  });

  it('is looked for behind other batches and files, page by page', async () => {
    server.fault = (request, number) => (request === 'POST batches' && number === 1 ? { kind: 'cut' } : undefined);
    await run({ requests_per_batch: 3 });
    expect(server.sizes()).toEqual([3, 3, 3, 3, 3, 3, 2]);
    server.fault = (request, number) => (request === 'POST batches' && number === 8 ? { kind: 'cut' } : undefined);
    await run({}, { model: 'another' });
    expect(server.sizes().slice(7)).toEqual([rows]);
  });

  it('that made two batches after all: one is waited for, the other cancelled', async () => {
    server.end = (batch) => (batch === 2 ? { status: 'never' } : undefined);
    server.fault = (request, number) => {
      if (request === 'POST batches' && number === 1) return { kind: 'cut' };
      const [first] = server.batches;
      if (request === 'GET batches' && number === 1 && first !== undefined) {
        server.batches.push({ ...first, id: 'batch-2', number: 2 });
      }
      return undefined;
    };
    const artifact = await run();
    expect(server.requests.filter((request) => request === 'POST batches')).toHaveLength(1);
    expect(server.batches.map(({ status }) => status)).toEqual(['completed', 'cancelling']);
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows });
  });

  it.each(['POST files', 'POST batches'])('%s answered 503 and 429 is repeated, and no more', async (kind) => {
    server.fault = (request, number) =>
      request === kind && number <= 2 ? { kind: 'status', status: number === 1 ? 503 : 429 } : undefined;
    await run();
    expect(server.sizes()).toEqual([rows]);
  });
});

describe('money and batches', () => {
  it('never lets more stand than the cap allows, asks the operator, and goes on after a raise', async () => {
    const failure = await rejection(run({ requests_per_batch: 3 }, { budget_usd: 0.03 }));
    expect(failure).toMatchObject({ type: 'BudgetExceeded', nonRetryable: true });
    expect(server.paid.size).toBeGreaterThan(3);
    expect(server.paid.size * rowUsd).toBeLessThanOrEqual(0.03);
    // A request may cost $0.005: prompt and 800 tokens of output, half off.
    expect(server.mostStanding).toBeLessThanOrEqual(0.03 / 0.004);
    const artifact = await run({}, { budget_usd: 1 });
    expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd);
    expect(server.paidTwice()).toEqual([]);
  });

  it('counts what stands at the server of an earlier process', async () => {
    server.end = () => ({ status: 'never' });
    for (const looks of [3, 6]) {
      const environment = activityEnvironment();
      server.fault = (kind, number) => {
        if (kind === 'GET batches ID' && number === looks) pause(environment);
        return undefined;
      };
      expect(await rejection(run({}, { budget_usd: 0.05 }, environment))).toBeInstanceOf(CancelledFailure);
    }
    expect(server.sizes()).toHaveLength(1);
    expect(server.mostStanding).toBeLessThan(rows);
  });
});

describe('a synthesis that waits for batches', () => {
  it('shows where they stand', async () => {
    server.looks = 80;
    const environment = activityEnvironment();
    await run({ requests_per_batch: 12 }, {}, environment);
    expect(environment.heartbeats).toContainEqual(
      expect.objectContaining({ total: rows, note: 'batches: 2 in_progress; 0 of 20 requests in them are done' }),
    );
    expect(environment.heartbeats.at(-1)).toMatchObject({ done: rows, note: 'no batch stands at the server' });
  });

  it('paused leaves them alone, and the next attempt waits for the same ones', async () => {
    server.looks = 6;
    const environment = activityEnvironment();
    server.fault = (kind, number) => {
      if (kind === 'GET batches ID' && number === 2) pause(environment);
      return undefined;
    };
    expect(await rejection(run({}, {}, environment))).toBeInstanceOf(CancelledFailure);
    expect(server.requests).not.toContain('POST batches ID cancel');
    const artifact = await run();
    expect(server.sizes()).toEqual([rows]);
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows, requests: rows });
  });

  it('cancelled cancels them, keeps what is paid for, and ends as cancelled', async () => {
    server.end = () => ({ status: 'never', done: 5 });
    const environment = activityEnvironment();
    server.fault = (kind, number) => {
      if (kind === 'GET batches ID' && number === 3) environment.env.cancel();
      return undefined;
    };
    expect(await rejection(run({ requests_per_batch: 12 }, {}, environment))).toBeInstanceOf(CancelledFailure);
    expect(server.batches.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    expect(server.paid.size).toBe(10);
    server.end = () => undefined;
    const artifact = await run();
    expect(server.sizes()).toEqual([12, 8, rows - 10]);
    expect(server.paidTwice()).toEqual([]);
    expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd);
  });

  it.each([
    ['POST files', []],
    ['POST batches', ['cancelled']],
  ])('cancelled during %s leaves no batch behind that goes on', async (kind, statuses) => {
    const environment = activityEnvironment();
    server.fault = (request) => {
      if (request !== kind) return undefined;
      environment.env.cancel();
      return { kind: 'cut' };
    };
    expect(await rejection(run({}, {}, environment))).toBeInstanceOf(CancelledFailure);
    expect(server.batches.map(({ status }) => status)).toEqual(statuses);
    server.fault = () => undefined;
    expect((await run()).counts).toMatchObject({ kept: rows, answers: rows });
    expect(server.paidTwice()).toEqual([]);
  });

  it('goes on when the server is away for a few looks, and fails for a retry when it stays away', async () => {
    server.fault = (kind, number) => (kind === 'GET batches ID' && number <= 5 ? { kind: 'drop' } : undefined);
    expect((await run()).counts).toMatchObject({ kept: rows });
    server.fault = (kind) => (kind === 'GET batches ID' ? { kind: 'status', status: 502 } : undefined);
    const failure = await rejection(run({}, { model: 'another' }));
    expect(failure).toMatchObject({ type: 'TeacherUnavailable', nonRetryable: false });
    server.fault = () => undefined;
    expect((await run({}, { model: 'another' })).counts).toMatchObject({ kept: rows });
    expect(server.sizes()).toEqual([rows, rows]);
  });

  it('refuses a wrong key without a retry and without quoting it', async () => {
    await writeFile(bench.keyFile, 'wrong-key-xyz\n');
    const failure = await rejection(run());
    expect(failure).toMatchObject({ type: 'TeacherDenied', nonRetryable: true });
    expect(failure).not.toHaveProperty('message', expect.stringContaining('wrong-key-xyz'));
    expect(server.requests).toEqual(['POST files']);
  });

  it('says that a server has no Batch API', async () => {
    server.fault = () => ({ kind: 'status', status: 404 });
    const failure = await rejection(run());
    expect(failure).toMatchObject({ type: 'TeacherRefused', nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining('does this server have the Batch API'));
  });
});

describe('the log of batches', () => {
  it('holds no key and no picture', async () => {
    await run();
    const text = await readFile(join(await bench.answersFolder(), 'batches.jsonl'), 'utf8');
    expect(text).not.toContain('test-key');
    expect(text).not.toContain('base64');
    expect(text.length).toBeLessThan(rows * 200 + 2000);
  });
});
