/** From rows to scores: what is copied into the store, what cannot be scored and is said, and what is written. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { csvOf } from '../../../activities/scoring/forms.ts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readKeptPairs } from '../../../activities/scoring/pairs-artifact.ts';
import { writeScores } from '../../../activities/scoring/writing.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { ArtifactRef } from '../../../domain/manifest.ts';
import type { ScoringOrder } from '../../../domain/scoring/scoring.ts';
import { makeStore } from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity, makePlan, rejection } from '../fixtures.ts';
import { answer, answersOf, picturesIn, publish, rowsIn } from './fixtures.ts';

vi.setConfig({ testTimeout: 60_000 });

let store: ArtifactStore;
let folder: string;
beforeEach(async () => {
  store = await makeStore();
  folder = await picturesIn(12);
});

const order: ScoringOrder = {
  schema: 1,
  id: 'score-c-20261129-031500',
  purpose: 'score',
  critic: { champion: 'c' },
  pairs: { kind: 'table', path: '/p.csv' },
};

async function written(pairs: ArtifactRef, predictions: ArtifactRef, more: Partial<ScoringOrder> = {}) {
  const { env } = activityEnvironment();
  const input = { order: { ...order, ...more }, plan: makePlan('/data'), words: 'champion c', pairs, predictions };
  return inActivity(env, () => writeScores(store, input));
}

const linesOf = async (path: string): Promise<Record<string, unknown>[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the pairs of a scoring', () => {
  it('are copied by content, so that what is scored does not change; the job is told no opinion', async () => {
    const artifact = await publish(
      store,
      rowsIn(folder, 12, () => 4),
    );
    expect(artifact.counts).toEqual({ pairs: 12, test: 12, refused: 0 });
    // Five sources, though twelve rows name them.
    expect(await readdir(join(artifact.path, 'images'))).toHaveLength(17);
    const prompts = await linesOf(join(artifact.path, 'test.jsonl'));
    expect(prompts[0]).toMatchObject({ id: '1', mos: null, prompt: expect.stringContaining('make it ‹b›blue‹/b›') });
    await writeFile(join(folder, 's0.png'), 'gone');
    await expect(store.find('prompts-pairs', {})).resolves.toMatchObject({ artifact: undefined });
    expect((await readKeptPairs(artifact))[0]).toMatchObject({ source: join(folder, 's0.png'), opinions: { mos: 4 } });
  });

  it('are the same artifact when they are named again', async () => {
    const first = await publish(store, rowsIn(folder, 3));
    expect(await publish(store, rowsIn(folder, 3))).toMatchObject({ key: first.key, reused: true });
    const tries = join(store.root, 'partial', 'prompts-pairs', 'gathering');
    expect(await readdir(tries)).toEqual([]);
  });

  it('keep those with a bad picture or field, with why', async () => {
    await writeFile(join(folder, 'edited', '1.png'), 'no picture');
    const rows = rowsIn(folder, 3);
    const said = { source: '/s.png', edited: '/e.png', opinions: { mos: 4 } };
    const bad = [...rows, { where: 'line 5', id: 'x', fault: 'instruction: expected a text, got nothing', said }];
    const missing = { where: 'line 6', pair: { id: 'm', source: '/no', edited: '/', instruction: 'y', opinions: {} } };
    const artifact = await publish(store, [...bad, missing]);
    expect(artifact.counts).toEqual({ pairs: 5, test: 2, refused: 3 });
    expect((await readKeptPairs(artifact))[3]).toMatchObject({ n: 4, id: 'x', ...said });
    expect((await readKeptPairs(artifact)).map(({ fault }) => fault)).toEqual([
      undefined,
      expect.stringContaining('edited: expected a PNG, JPEG or WebP picture'),
      undefined,
      'instruction: expected a text, got nothing',
      expect.stringMatching(/source: .*"\/no", which does not exist; edited: .*"\/", a folder/),
    ]);
  });

  it('are refused where a critic can be asked about none', async () => {
    const rows = [{ where: 'line 2', id: 'x', fault: 'why' }];
    const failure = await rejection(publish(store, rows));
    expect(failure).toMatchObject({
      type: 'DataInvalid',
      message: expect.stringContaining('none of 1:\n  line 2: why'),
    });
  });

  it('are not asked about where the recipe’s longest prompt is shorter', async () => {
    const { recipe } = makePlan('/data');
    const short = { ...recipe, predict: { ...recipe.predict, max_prompt_length: 70 } };
    const [first, ...others] = rowsIn(folder, 2);
    const long = {
      where: 'l',
      pair: { ...(first && 'pair' in first ? first.pair : never()), instruction: 'x '.repeat(900) },
    };
    const artifact = await publish(store, [...others, long], {
      ...short,
      predict: { ...short.predict, max_prompt_length: 300 },
    });
    expect((await readKeptPairs(artifact))[1]?.fault).toMatch(
      /at most 300 tokens .*predict.max_prompt_length.*got about \d+/,
    );
  });
});

function never(): never {
  throw new Error('expected a pair');
}

describe('scores', () => {
  it('are written for every row once, as lines, as a table and as a page', async () => {
    await writeFile(join(folder, 'edited', '1.png'), 'no picture');
    const said = { source: '/s.png', edited: '/dir/e.png', opinions: { mos: 4 } };
    const pairs = await publish(store, [...rowsIn(folder, 4), { where: 'line 6', id: 'p4', fault: 'why', said }]);
    const predictions = await answersOf(store, [1, 3, 4], (n) => [
      n === 4 ? '<i>what?' : answer(n),
      answer(n),
      n === 3 ? 'no' : answer(2),
    ]);
    const result = await written(pairs, predictions);
    expect(result).toMatchObject({ pairs: 5, refused: 2, scored: 2, unreadable: 1, metrics: null });
    // What `artifacts gc` looks for among the pins.
    expect(JSON.parse(await readFile(join(result.files.html, '../made-from.json'), 'utf8'))).toEqual({
      schema: 1,
      pairs: pairs.key,
      predictions: predictions.key,
    });
    const lines = await linesOf(result.files.jsonl);
    expect(lines.map(({ id, score, sd, samples }) => [id, score, sd, samples])).toEqual([
      ['p0', 1, Math.SQRT1_2, [1, 2]],
      ['p1', null, null, []],
      ['p2', 3, null, [3, null]],
      ['p3', null, Math.SQRT2, [4, 2]],
      ['p4', null, null, []],
    ]);
    expect(lines.map(({ fault }) => fault)).toEqual([
      undefined,
      expect.stringContaining('edited: expected a PNG'),
      undefined,
      'its answer gives no score',
      'why',
    ]);
    expect(lines.at(-1)).toMatchObject(said);
    const table: Record<string, string>[] = parse(await readFile(result.files.csv, 'utf8'), { columns: true });
    expect(table.map(({ id, score, instruction }) => [id, score, instruction])).toEqual([
      ['p0', '1', 'make it <b>blue</b>, "0"'],
      ['p1', '', 'make it <b>blue</b>, "1"'],
      ['p2', '3', 'make it <b>blue</b>, "2"'],
      ['p3', '', 'make it <b>blue</b>, "3"'],
      ['p4', '', ''],
    ]);
    expect(table.at(-1)).toMatchObject({ source: '/s.png', edited: '/dir/e.png', mos: '4' });
    const page = await readFile(result.files.html, 'utf8');
    expect(page).toContain('&lt;i&gt;what?');
    expect(page).not.toMatch(/<b>blue|<script|(?:src|href)="(?!data:image\/|scores\.|evaluation\.)/);
    expect(page.match(/<img src="data:image/g)).toHaveLength(6);
    expect(page).toContain('s.png → e.png · people 4.00');
    expect(page).toContain('sampled 3.00 (1 of 2)');
    expect(result.summary.split('\n').slice(0, 6)).toEqual([
      expect.stringMatching(/^PAIR +SCORE +SAMPLED +PEOPLE$/),
      expect.stringMatching(/^p0 +1\.00 +1\.50 ±0\.71 \(2 of 2\)/),
      expect.stringMatching(/^p1 +- +- +not asked/),
      expect.stringMatching(/^p2 +3\.00 +3\.00 \(1 of 2\)/),
      expect.stringMatching(/^p3 +- +3\.00 ±1\.41 \(2 of 2\)/),
      expect.stringMatching(/^p4 +- +4\.00 +not asked/),
    ]);
    expect(await written(pairs, predictions)).toEqual(result);
  });

  it('are not written from a job that left a pair out, or answered another one', async () => {
    const pairs = await publish(store, rowsIn(folder, 3));
    for (const numbers of [
      [1, 2],
      [1, 2, 3, 3],
      [1, 2, 4],
    ]) {
      const predictions = await answersOf(store, numbers, () => [answer(1), answer(1), answer(1)]);
      expect(await rejection(written(pairs, predictions))).toMatchObject({ type: 'PostconditionFailed' });
    }
  });

  it('are compared with people where that is asked for', async () => {
    const opinion = (index: number) => 1 + (4 * index) / 11;
    const pairs = await publish(store, rowsIn(folder, 12, opinion));
    const numbers = Array.from({ length: 12 }, (_, index) => index + 1);
    const predictions = await answersOf(store, numbers, (n) => [answer(opinion(n - 1)), answer(3), answer(3)]);
    const result = await written(pairs, predictions, { purpose: 'evaluate' });
    expect(result.files.html).toContain('/evaluations/score-c-');
    expect(result.metrics?.srcc?.value).toBeCloseTo(1);
    expect(result.metrics?.readable?.value).toBe(1);
    expect(result.summary).toContain('Agreement with people on 12 pairs');
    const page = await readFile(result.files.html, 'utf8');
    expect(page).toContain('Agreement with people');
    expect(page).not.toContain('By dimension and editing method');
  });

  it('are compared with people by dimension and method, where the table says these', async () => {
    const opinion = (index: number) => 1 + (4 * index) / 11;
    const rows = rowsIn(folder, 12, opinion).map((row, index) =>
      'pair' in row
        ? { ...row, pair: { ...row.pair, method: 'm1', opinions: { mos: opinion(index), fidelity: opinion(index) } } }
        : row,
    );
    const numbers = rows.map((_, index) => index + 1);
    const predictions = await answersOf(store, numbers, (n) => [answer(opinion(n - 1)), answer(3), answer(3)]);
    const { files } = await written(await publish(store, rows), predictions, { purpose: 'evaluate' });
    const page = await readFile(files.html, 'utf8');
    expect(page).toContain('By dimension and editing method');
    expect(page).toMatch(/fidelity: overall score<\/th>\s*<td data-source="evaluation.json">12 of 12/);
    expect(page).toMatch(/method m1<\/th>\s*<td data-source="evaluation.json">12 of 12/);
  });

  it('say why there is no agreement where most answers cannot be read', async () => {
    const pairs = await publish(
      store,
      rowsIn(folder, 4, (index) => 1 + index),
    );
    const predictions = await answersOf(store, [1, 2, 3, 4], (n) => [n === 1 ? answer(1) : 'no', answer(3), answer(3)]);
    const result = await written(pairs, predictions, { purpose: 'evaluate' });
    expect(result.metrics?.main_score?.value).toBeNull();
    expect(await readFile(result.files.html, 'utf8')).toContain('only 1 of 4 answers can be read');
  });
});

it('a table for spreadsheets has no formula, whatever tables and models say', () => {
  const pair = { n: 1, id: '=1+1', where: 'line 2', source: '@a', edited: '+b', instruction: '-c', opinions: {} };
  const critique = '=HYPERLINK("http://x")';
  const row = { pair, score: 3, mean: null, sd: null, samples: [], critique, answer: '', tokens: 1 };
  const [line] = parse(csvOf([row]), { columns: true });
  expect(line).toMatchObject({
    id: "'=1+1",
    source: "'@a",
    edited: "'+b",
    instruction: "'-c",
    critique: `'${critique}`,
  });
});
