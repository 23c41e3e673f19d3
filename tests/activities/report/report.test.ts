import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { ticks } from '../../../activities/report/axes.ts';
import { html } from '../../../activities/report/html.ts';
import { chooseSamples } from '../../../activities/report/samples.ts';
import type { RunEstimate } from '../../../domain/estimate/estimate.ts';
import { evaluationPairs, evaluationPlan, makeStore, predictionsOf } from '../evaluation/evaluation-fixtures.ts';
import { reportPairs as pairs, wholeRun as wholeRunIn, writeReport } from './report-fixtures.ts';

vi.setConfig({ testTimeout: 60_000 });

let store: ArtifactStore;
const write = (input: Parameters<typeof writeReport>[1]) => writeReport(store, input);
const wholeRun = (uncertain: unknown[] = []) => wholeRunIn(store, uncertain);

beforeEach(async () => {
  store = await makeStore();
});

/** The page as it is read, without markup. */
function wordsOf(page: string): string {
  return page.replaceAll(/<[^>]+>/g, '').replaceAll(/\s+/g, ' ');
}

describe('writeReport', () => {
  it('writes one file of every part, and says what the table says', async () => {
    const { page, path, bytes, url, summary: told } = await write(await wholeRun());
    expect(url).toBe('http://pages/runs/test-1/report.html');
    expect(path).toBe(join(store.root, 'runs/test-1/report.html'));
    expect(bytes).toBe(Buffer.byteLength(page));
    for (const text of [
      'Gate passed',
      'MainScore 0.700 ≥ 0.2',
      'GRPO improved on SFT',
      'constant predictor',
      'attempt 2',
      '4711',
      '1:02:05',
      'gpt-1, prompt teacher-v1: 9 of 10 critiques kept',
      '8 answers, $0.25 saved',
      'reused, an-earlier-run',
      '0123abcd',
      '$0.50',
    ]) {
      expect(wordsOf(page)).toContain(text);
    }
    const summary = await readFile(join(store.root, 'runs/test-1/summary.txt'), 'utf8');
    // It travels in the run's result: all of it, and small.
    expect(told).toBe(summary);
    expect(Buffer.byteLength(told)).toBeLessThan(2000);
    expect(summary).toMatch(/^ +SRCC {2}PLCC fit/);
    expect(summary).toContain('constant predictor      –         –');
    expect(summary).toContain(
      '20 test pairs; intervals by bootstrap over 10 source images; reward of l1 accuracy + 1 · format.',
    );
  });

  it('sets the estimate of the run beside what it took', async () => {
    const input = await wholeRun();
    const folder = join(store.root, 'runs/test-1');
    await mkdir(folder, { recursive: true });
    const synthesis = {
      rows: 10,
      answered: 2,
      tokens: { input: 1, images: 1, output: 1 },
      usd: { expected: 0.4, atMost: 3, spent: 0.02, cap: 5 },
    };
    const gpuHours = { expected: null, atMost: 2 };
    const job = { steps: 12, rows: null, seconds: 3600, gpuHours, measuredIn: null };
    const estimate: RunEstimate = {
      schema: 1,
      recipe: 'test',
      dataset: {},
      stages: [
        { stage: 'dataset', action: 'reuse', key: 'k' },
        { stage: 'synthesis', action: 'make', key: 'k', synthesis },
        { stage: 'grpo', action: 'make', key: 'k', job },
      ],
    };
    await writeFile(join(folder, 'estimate.json'), JSON.stringify(estimate));
    const { page } = await write(input);
    expect(page).toContain('Estimated before anything was spent');
    const cells = [...page.matchAll(/<td>(?:<span[^>]*>)?([^<]+)/g)].map(([, cell]) => cell);
    expect(cells).toEqual(expect.arrayContaining(['$0.42', '$0.50', '1:00:00', 'unknown']));
    expect((await write({})).page).not.toContain('Estimated before');
  });

  it('names each request that may have been paid and brought nothing, fifty of them, and counts the rest', async () => {
    const requests = Array.from({ length: 53 }, (_, i) => ({ id: `p${i}`, request: `key-${i}-end`, usd: 0.01 }));
    const { page } = await write(await wholeRun(requests));
    expect(page).toContain('53 requests to the teacher may have been paid for and brought nothing');
    expect(page).toContain('Up to $0.5300');
    expect(page.match(/key-\d+-end/g)).toEqual(requests.slice(0, 50).map(({ request }) => request));
    expect(page).toContain('3 more, of $0.0300, are in the synthesis');
    const one = await write({ ...(await wholeRun(requests.slice(0, 1))), plan: evaluationPlan('run-2') });
    expect(one.page).toContain('1 request to the teacher may');
    expect(one.page).not.toContain('more, of');
    expect((await write(await wholeRun())).page).not.toContain('may have been paid');
  });

  it('escapes whatever a model or a dataset wrote', async () => {
    const { page } = await write(await wholeRun());
    expect(page).not.toContain('<script');
    expect(page).not.toContain('onerror="');
    expect(page).not.toContain('<b>blue</b>');
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('&lt;b&gt;blue&lt;/b&gt;');
  });

  it('loads nothing from elsewhere', async () => {
    const { page } = await write(await wholeRun());
    expect(page).not.toMatch(/ (src|srcset)="(?!data:image\/png;base64,)/);
    // Links are followed by people. They lead to this page, into the store, or to Temporal.
    const links = [...page.matchAll(/ href="([^"]*)"/g)].map(([, link = '']) => link);
    expect(
      links.filter((link) => !/^(#critique-\d+|report\.json|\.\.\/\.\.\/|http:\/\/temporal\/)/.test(link)),
    ).toEqual([]);
    expect(page).not.toMatch(/url\(|@import|<link|<iframe/);
    expect(page.match(/<img /g)).toHaveLength(20);
  });

  it('leaves out what a run does not have, and says so', async () => {
    const { page } = await write({});
    expect(page).toContain('Nothing was evaluated.');
    expect(page.match(/Nothing was logged\./g)).toHaveLength(3);
    expect(page).toContain('No job was run');
    expect(page).not.toContain('Sample critiques');
    expect(page).not.toContain('Gate');
    expect(await readFile(join(store.root, 'runs/run-1/summary.txt'), 'utf8')).toBe('Nothing was evaluated.\n');
  });

  it('names pictures that are too large, missing or none instead of embedding them', async () => {
    const whole = await wholeRun();
    const folder = whole.artifacts?.dataset?.path ?? '';
    for (const pair of pairs.filter((one) => one.split === 'test')) {
      await writeFile(join(folder, pair.edited_image), Buffer.alloc(2 * 1024 * 1024));
      await writeFile(join(folder, pair.source_image), '<svg onload="alert(1)"></svg>');
    }
    const { page, bytes } = await write(whole);
    expect(page).toContain('2.0 MB, not embedded');
    expect(page).toContain('no PNG, JPEG or WebP with a whole header');
    expect(page).not.toContain('<img');
    expect(bytes).toBeLessThan(200_000);
  });
});

describe('sample critiques', () => {
  const rows = predictionsOf(evaluationPairs(10, 3), 2, { unreadableEvery: 29 });

  it('are the three smallest errors, four at the median and the three largest, unreadable ones last', () => {
    const chosen = chooseSamples(rows);
    expect(chosen.map(({ why }) => why)).toEqual([
      ...Array.from({ length: 3 }, () => 'among the smallest errors'),
      ...Array.from({ length: 4 }, () => 'at the median error'),
      ...Array.from({ length: 3 }, () => 'among the largest errors'),
    ]);
    expect(chosen.at(-1)?.predicted).toBeNull();
    const errors = chosen.slice(0, 8).map(({ row, predicted }) => Math.abs((predicted ?? 9) - row.mos));
    expect(errors).toEqual(errors.toSorted((a, b) => a - b));
  });

  it.each([0, 1, 2, 5, 9, 10, 11])('of %i rows are each shown at most once', (count) => {
    const ids = chooseSamples(rows.slice(0, count)).map(({ row }) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(Math.min(count, 10));
  });
});

describe('the pieces of the page', () => {
  it('escape strings and numbers, and keep markup', () => {
    expect(html`<p title="${'"'}">${"<&'"}${html`<b>${1}</b>`}${undefined}</p>`.text).toBe(
      '<p title="&quot;">&lt;&amp;&#39;<b>1</b></p>',
    );
  });

  it('have round ticks', () => {
    expect(ticks(0.02, 0.98, 5)).toEqual([0.2, 0.4, 0.6, 0.8]);
    expect(ticks(-3, 3, 4)).toEqual([-2, 0, 2]);
    expect(ticks(1, 60, 5)).toEqual([20, 40, 60]);
  });
});
