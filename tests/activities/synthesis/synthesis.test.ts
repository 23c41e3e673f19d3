import { appendFile, chmod, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CancelledFailure } from '@temporalio/activity';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { critiqueRowSchema } from '../../../activities/synthesis/output.ts';
import { activityEnvironment, rejection } from '../fixtures.ts';
import { goodCritique } from '../teacher/scripted-completion.ts';
import { readJsonLines, SynthesisBench } from './synthesis-fixtures.ts';

const rows = 20;
let bench: SynthesisBench;

// Each test is fast on an idle machine; CI shares its cores.
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  bench = await SynthesisBench.make(rows);
});
afterEach(async () => {
  await bench.teacher.stop();
});

/** The one log of answers in the store. */
async function logPath(): Promise<string> {
  const root = join(bench.store.root, 'partial', 'synthesis');
  for (const key of await readdir(root)) {
    if ((await readdir(join(root, key))).includes('answers.jsonl')) return join(root, key, 'answers.jsonl');
  }
  throw new Error('there is no log');
}

/** Runs until the `n`-th request arrives and cancels there. */
async function cancelAt(n: number): Promise<unknown> {
  const environment = activityEnvironment();
  bench.teacher.script = ({ number }) => {
    if (number !== n) return undefined;
    environment.env.cancel();
    return { kind: 'silence' };
  };
  return rejection(bench.run({ concurrency: 1 }, environment));
}

describe('a synthesis with a good teacher', () => {
  it('asks once a row, keeps all, says what it cost, and shows its progress', async () => {
    const environment = activityEnvironment();
    const artifact = await bench.run({}, environment);
    expect(bench.teacher.requests).toHaveLength(rows);
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    expect(artifact.counts).toEqual({ rows, kept: rows, set_aside: 0, requests: rows, answers: rows });
    // 1,000 tokens at $2.50 and 100 at $10 a million.
    expect(artifact.cost.usd).toBeCloseTo(rows * 0.0035);
    expect(environment.heartbeats.at(-1)).toMatchObject({
      state: 'asking',
      done: rows,
      total: rows,
      unit: 'rows',
      failed: 0,
      usd: expect.closeTo(artifact.cost.usd ?? 0),
      perMinute: expect.any(Number),
    });
    expect((await bench.card(artifact)).teacher.models_answering).toEqual({ 'scripted-1': rows });
  });

  it('says in its card how many critiques open alike, and keeps them', async () => {
    bench.teacher.script = ({ number, instruction }) => {
      const own = goodCritique(instruction);
      const alike = { ...own, alignment: `The edit follows all of it. ${own.alignment}` };
      return { kind: 'completion', content: JSON.stringify(number % 4 === 0 ? alike : own) };
    };
    const card = await bench.card(await bench.run());
    expect(card).toMatchObject({
      kept: rows,
      commonest_opening: { words: 'the edit follows all of', count: 5, share: 0.25 },
    });
  });

  it('marks a critique whose tone contradicts the score, and keeps it', async () => {
    bench.teacher.script = ({ instruction }) => {
      const own = goodCritique(instruction);
      // p0 has the lowest score.
      const overall = instruction.includes('number 0 ') ? `It is excellent and flawless. ${own.overall}` : own.overall;
      return { kind: 'completion', content: JSON.stringify({ ...own, overall }) };
    };
    const artifact = await bench.run();
    const critiques = (await readJsonLines(join(artifact.path, 'critiques.jsonl'))).map((row) =>
      critiqueRowSchema.parse(row),
    );
    expect(critiques.filter(({ tone }) => tone === 'contradicts').map(({ id }) => id)).toEqual(['p0']);
    expect(await bench.card(artifact)).toMatchObject({ kept: rows, tone_contradicts_score: 1 });
  });

  it('is reused by the next run without a request, also with another budget and speed', async () => {
    const first = await bench.run();
    const again = await bench.run({ budget_usd: 1, concurrency: 2, requests_per_minute: 10 });
    expect(again).toEqual({ ...first, reused: true });
    expect(bench.teacher.requests).toHaveLength(rows);
  });

  it('judges the answers anew under another filter without asking again', async () => {
    const first = await bench.run();
    const other = await bench.run({ filter: { min_words: 70, max_words: 600, near_duplicate: null } });
    expect(other.key).not.toBe(first.key);
    expect(bench.teacher.requests).toHaveLength(rows);
  });

  it('is asked once by two runs at the same time', async () => {
    const [one, two] = await Promise.all([bench.run(), bench.run()]);
    expect(two.key).toBe(one.key);
    expect(bench.teacher.requests).toHaveLength(rows);
  });

  it('sends both images, the instruction and the scores, and a JSON schema, with a key for each request', async () => {
    await bench.run({ detail: 'low' });
    const [seen] = bench.teacher.requests;
    const text = JSON.stringify(seen?.body.messages);
    expect(text.match(/data:image\/png;base64,/g)).toHaveLength(2);
    expect(text).toContain('"detail":"low"');
    expect(text).toContain('make the circle number');
    expect(new Set(bench.teacher.requests.map(({ key }) => key)).size).toBe(rows);
  });

  it('writes the key nowhere', async () => {
    await bench.run();
    for (const entry of await readdir(bench.store.root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      expect((await readFile(join(entry.parentPath, entry.name))).includes('test-key')).toBe(false);
    }
  });
});

describe('a synthesis that was interrupted', () => {
  it('cancelled half way ends as CancelledFailure, and the next run asks only what is missing', async () => {
    expect(await cancelAt(11)).toBeInstanceOf(CancelledFailure);
    bench.teacher.script = () => undefined;
    const artifact = await bench.run();
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    // Ten answered, one in flight, which is asked again under the same key and named in the card.
    expect(bench.teacher.requests).toHaveLength(rows + 1);
    const { uncertain_requests: uncertain } = await bench.card(artifact);
    expect(uncertain).toMatchObject([{ id: 'p10', request: bench.teacher.requests[10]?.key }]);
    expect(bench.teacher.requests.filter(({ key }) => key === uncertain[0]?.request)).toHaveLength(2);
  });

  /** As another worker does it: the holder's name is renamed. */
  async function takeOver(): Promise<void> {
    const holder = join(dirname(await logPath()), 'holder');
    const [name = ''] = await readdir(holder);
    await rename(join(holder, name), join(holder, 'another~1~1~0'));
  }

  it('sends nothing more once another worker has taken its answers over', async () => {
    bench.teacher.latencyMs = 20;
    bench.teacher.script = ({ number }) => {
      if (number !== 10) return undefined;
      // What is in flight takes longer than a renewal counts as proof.
      bench.teacher.latencyMs = 1_500;
      void takeOver();
      return undefined;
    };
    const failure = await rejection(bench.run({ concurrency: 2 }));
    expect(failure).toMatchObject({ type: 'Superseded', nonRetryable: false });
    expect(bench.teacher.requests.length).toBeLessThanOrEqual(13);
  });

  it('repairs a torn last line and asks only that row again', async () => {
    await cancelAt(11);
    const path = await logPath();
    const text = await readFile(path, 'utf8');
    const answered = text.lastIndexOf('{"event":"answered"');
    await rm(path);
    await appendFile(path, text.slice(0, answered + 100));
    bench.teacher.script = () => undefined;
    const artifact = await bench.run();
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    expect(bench.teacher.requests).toHaveLength(11 + 11);
    const events = await readJsonLines(path);
    expect(events.filter((event) => JSON.stringify(event).includes('"event":"answered"'))).toHaveLength(rows);
  });

  it('counts as spent what was in flight', async () => {
    await cancelAt(3);
    bench.teacher.script = () => undefined;
    const artifact = await bench.run();
    const { usd, uncertain_requests: uncertain } = await bench.card(artifact);
    expect(uncertain).toHaveLength(1);
    expect(usd).toBeCloseTo(rows * 0.0035 + (uncertain[0]?.usd ?? 0));
  });

  it('publishes from the log without a key or a request when only publishing was missing', async () => {
    const artifact = await bench.run();
    await rm(artifact.path, { recursive: true });
    await rm(bench.keyFile);
    expect(await bench.run()).toMatchObject({ key: artifact.key });
    expect(bench.teacher.requests).toHaveLength(rows);
  });
});

describe('money', () => {
  it('stops before the cap is passed, keeps the rows, and goes on after a raise', async () => {
    const failure = await rejection(bench.run({ budget_usd: 0.05, concurrency: 4 }));
    expect(failure).toMatchObject({ type: 'BudgetExceeded', nonRetryable: true });
    const message = failure instanceof Error ? failure.message : '';
    expect(message).toMatch(
      /\$0\.0\d+ of recipe\.synthesis\.budget_usd \$0\.0500 is spent.*answer "retry" with a higher cap/,
    );
    const asked = bench.teacher.requests.length;
    expect(asked).toBeGreaterThan(5);
    expect(asked * 0.0035).toBeLessThanOrEqual(0.05);
    const artifact = await bench.run({ budget_usd: 1 });
    expect(bench.teacher.requests).toHaveLength(rows);
    expect(artifact.cost.usd).toBeCloseTo(rows * 0.0035);
  });

  it('remembers across runs what was spent', async () => {
    await rejection(bench.run({ budget_usd: 0.05 }));
    const asked = bench.teacher.requests.length;
    await rejection(bench.run({ budget_usd: 0.05 }));
    expect(bench.teacher.requests).toHaveLength(asked);
  });

  it('charges a server that states no usage as reserved', async () => {
    bench.teacher.script = () => ({ kind: 'completion', usage: false });
    const artifact = await bench.run();
    expect(artifact.cost.usd).toBeGreaterThan(rows * 0.008);
  });
});

describe('answers that are not good enough', () => {
  it.each([
    ['refusal', { kind: 'completion', content: null, refusal: 'no' }],
    ['truncated', { kind: 'completion', content: '{"alignment":"x', finish: 'length' }],
    ['content-filter', { kind: 'completion', content: null, finish: 'content_filter' }],
    ['content-filter', { kind: 'status', status: 400, code: 'invalid_prompt' }],
    ['picture-refused', { kind: 'status', status: 400, code: 'image_parse_error' }],
    ['malformed', { kind: 'completion', content: '{"alignment":"x"' }],
    ['empty', { kind: 'completion', content: '' }],
    ['too-short', { kind: 'completion', content: '{"alignment":"a","fidelity":"b","quality":"c","overall":"d"}' }],
  ] as const)('asks again after %s, and counts it', async (reason, behaviour) => {
    bench.teacher.script = ({ number }) => (number === 3 ? behaviour : undefined);
    const artifact = await bench.run();
    expect(bench.teacher.requests).toHaveLength(rows + 1);
    expect(artifact.counts).toMatchObject({ kept: rows, set_aside: 0 });
    expect((await bench.card(artifact)).rejected_answers_by_reason).toEqual({ [reason]: 1 });
  });

  it('sets a row aside with its reasons when its tries are used up', async () => {
    bench.teacher.script = ({ instruction }) =>
      instruction.includes('number 4 ') ? { kind: 'completion', content: null, refusal: 'I cannot' } : undefined;
    const artifact = await bench.run({ tries_per_row: 2 });
    expect(artifact.counts).toMatchObject({ kept: rows - 1, set_aside: 1 });
    const [row] = await readJsonLines(join(artifact.path, 'rejected.jsonl'));
    expect(row).toEqual({
      id: 'p4',
      tries: [1, 2].map((number) => ({ try: number, reason: 'refusal', detail: 'I cannot' })),
    });
  });

  it('asks again for a near-duplicate of another row, the later one', async () => {
    const same = JSON.stringify(goodCritique('the same'));
    bench.teacher.script = ({ instruction, ofRow }) =>
      ofRow === 1 && /number [27] /.test(instruction) ? { kind: 'completion', content: same } : undefined;
    const artifact = await bench.run({ concurrency: 1 });
    expect(artifact.counts).toMatchObject({ kept: rows });
    expect(bench.teacher.requests.at(-1)?.instruction).toContain('number 7 ');
    expect((await bench.card(artifact)).rejected_answers_by_reason).toEqual({ 'near-duplicate': 1 });
  });

  it('fails its postcondition under the minimum yield, and the answers stay', async () => {
    bench.teacher.script = ({ instruction }) =>
      /number [1-4] /.test(instruction) ? { kind: 'completion', content: '' } : undefined;
    const failure = await rejection(bench.run({ tries_per_row: 1 }));
    expect(failure).toMatchObject({ type: 'PostconditionFailed', nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining('kept 16 of 20 critiques (80.0 %)'));
    expect(failure).toHaveProperty('message', expect.stringContaining('4 × empty'));
    bench.teacher.script = () => undefined;
    await bench.run({ tries_per_row: 2 });
    expect(bench.teacher.requests).toHaveLength(rows + 4);
  });
});

describe('the key file', () => {
  it('is refused when others may read it', async () => {
    await chmod(bench.keyFile, 0o644);
    const failure = await rejection(bench.run());
    expect(failure).toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining('expected mode 0600, got 0644; run: chmod 600'));
  });
});
