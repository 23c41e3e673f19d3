import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';
import { rejection } from '../fixtures.ts';
import type { Behaviour } from '../teacher/scripted-teacher.ts';
import { SynthesisBench } from './synthesis-fixtures.ts';

const rows = 60;
let bench: SynthesisBench;

// Each test is fast on an idle machine; CI shares its cores.
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  bench = await SynthesisBench.make(rows);
});
afterEach(async () => {
  await bench.teacher.stop();
});

const transient: [string, Behaviour][] = [
  ['a 500', { kind: 'status', status: 500 }],
  ['a 503 with Retry-After', { kind: 'status', status: 503, headers: { 'retry-after-ms': '20' } }],
  ['a 408', { kind: 'status', status: 408 }],
  ['a 409', { kind: 'status', status: 409 }],
  ['a 429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after-ms': '20' } }],
  ['a reset', { kind: 'reset' }],
  ['a body that is cut off', { kind: 'cut' }],
  ['JSON that is cut off', { kind: 'body', text: '{"id":"x","choices":[{"mess' }],
  ['an empty body', { kind: 'body', text: '' }],
  ['a 200 with an error in it', { kind: 'body', text: '{"error":{"message":"upstream failed"}}' }],
  ['a 200 without choices', { kind: 'body', text: '{"id":"x","choices":[]}' }],
];

describe('a teacher that fails now and then', () => {
  it.each(transient)('loses no row to %s', async (_name, behaviour) => {
    bench.teacher.script = ({ number }) => (number % 10 === 3 ? behaviour : undefined);
    const artifact = await bench.run();
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    const { requests } = await bench.card(artifact);
    expect(requests['answered']).toBe(rows);
    expect(requests['asked']).toBe(bench.teacher.requests.length);
    expect((requests['unpaid'] ?? 0) + (requests['lost'] ?? 0)).toBe(bench.teacher.requests.length - rows);
  });

  it('loses no row when one request in twenty goes wrong in any of these ways, or is never answered', async () => {
    const random = seededRandom(7);
    const kinds: Behaviour[] = [
      ...transient.map(([, behaviour]) => behaviour),
      { kind: 'silence' },
      { kind: 'hang-body' },
    ];
    bench.teacher.script = () => (random() < 0.05 ? kinds[Math.floor(random() * kinds.length)] : undefined);
    const artifact = await bench.run({ request_timeout_seconds: 1 });
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
  });

  it.each([
    ['before the headers', { kind: 'silence' }],
    ['after half of the body', { kind: 'hang-body' }],
  ] as const)(
    'gives up on a request that is never answered %s, counts it as perhaps paid, and asks again',
    async (_name, behaviour) => {
      bench.teacher.script = ({ number }) => (number === 5 ? behaviour : undefined);
      const started = performance.now();
      const artifact = await bench.run({ request_timeout_seconds: 1 });
      expect(performance.now() - started).toBeLessThan(20_000);
      expect(artifact.counts).toMatchObject({ kept: rows, requests: rows + 1 });
      expect((await bench.card(artifact)).uncertain_requests).toHaveLength(1);
    },
  );
});

describe('a teacher that cannot go on', () => {
  it('stops at once when the quota is used up, and says so to the operator', async () => {
    bench.teacher.script = ({ number }) =>
      number > 10 ? { kind: 'status', status: 429, code: 'insufficient_quota' } : undefined;
    const failure = await rejection(bench.run({ concurrency: 2 }));
    expect(failure).toMatchObject({ type: 'QuotaExhausted', nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining('add credit'));
    expect(bench.teacher.requests.length).toBeLessThanOrEqual(12);
    bench.teacher.script = () => undefined;
    expect((await bench.run()).counts).toMatchObject({ kept: rows, answers: rows });
  });

  it('refuses a wrong key without a retry and without quoting it', async () => {
    await writeFile(bench.keyFile, 'wrong-key-xyz\n');
    const failure = await rejection(bench.run({ concurrency: 1 }));
    expect(failure).toMatchObject({ type: 'TeacherDenied', nonRetryable: true });
    expect(failure).not.toHaveProperty('message', expect.stringContaining('wrong-key-xyz'));
    expect(bench.teacher.requests).toHaveLength(1);
  });

  it.each([
    ['400', { status: 400, param: 'messages' }],
    ['400 with a code', { status: 400, code: 'unsupported_parameter' }],
    ['404', { status: 404 }],
    ['422', { status: 422, param: 'temperature' }],
  ])('does not retry a %s', async (_name, said) => {
    bench.teacher.script = () => ({ kind: 'status', ...said });
    const failure = await rejection(bench.run({ concurrency: 1 }));
    expect(failure).toMatchObject({ type: 'TeacherRefused', nonRetryable: true });
    expect(bench.teacher.requests).toHaveLength(1);
  });

  it('fails for a retry of the whole activity when the teacher is away, and what was answered stays', async () => {
    bench.teacher.script = ({ number }) => (number > 20 ? { kind: 'status', status: 502 } : undefined);
    const failure = await rejection(bench.run({ concurrency: 2 }));
    expect(failure).toMatchObject({ type: 'TeacherUnavailable', nonRetryable: false });
    bench.teacher.script = () => undefined;
    expect((await bench.run()).counts).toMatchObject({ kept: rows, answers: rows });
  });
});
