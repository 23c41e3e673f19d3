/** The page of an experiment in real Chromium: light and dark, at a desk and on a phone, with a keyboard alone. */
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Direction } from '../../domain/experiment/experiment.ts';
import { memberOf, publishRun, reportInput, writeExperiment } from '../activities/experiments/report-fixtures.ts';
import { makeStore } from '../activities/evaluation/evaluation-fixtures.ts';
import { desk, open, schemes } from './browser.ts';
import { browser, canBeRead, withBrowser } from './readable.ts';
import { faults, numbersOf, valueOf } from './traced.ts';

let root: string;
const urls: Record<'whole' | 'empty', string> = { whole: '', empty: '' };
const directions: Direction[] = (['higher', 'lower'] as const).flatMap((is) => [
  { says: `b is ${is}`, source: 'a paper', metric: 'main_score', of: 'grpo', arm: 'b', is, than: 'a' },
  { says: `b grows ${is}`, metric: 'tokens_sampled', of: 'gain', arm: 'b', is },
]);

withBrowser();
beforeAll(async () => {
  const store = await makeStore();
  ({ root } = store);
  const whole = reportInput(
    [
      memberOf('a', 'run-a', await publishRun(store, 'run-a', 3, 40)),
      memberOf('b', 'run-b', await publishRun(store, 'run-b', 0.5, 60)),
    ],
    directions,
  );
  urls.whole = pathToFileURL((await writeExperiment(store, whole)).path).href;
  const failed = memberOf('a', null, {}, { status: 'failed', sentence: 'the dataset is bad', mainScore: null });
  const empty = { ...reportInput([failed], directions), id: 'experiment-empty' };
  urls.empty = pathToFileURL((await writeExperiment(store, empty)).path).href;
}, 120_000);

describe.each(['whole', 'empty'] as const)('the page of an experiment, %s', (which) => {
  canBeRead(() => urls[which]);
});

it('the table of arms is whole at a desk', async () => {
  const { page } = await open(browser, urls.whole, 'light', desk);
  const hidden = await page.evaluate(() => {
    const part = document.querySelector('table.metrics')?.closest('.scroll');
    if (part === null || part === undefined) throw new Error('no table of arms');
    return part.scrollWidth - part.clientWidth;
  });
  expect(hidden).toBe(0);
  await page.context().close();
});

describe('the lines of two arms', () => {
  it.each(schemes)('differ in colour and in dash, %s', async (scheme) => {
    const { page } = await open(browser, urls.whole, scheme);
    const looks = await page.evaluate(() =>
      ['arm-0', 'arm-1'].map((arm) => {
        const line = document.querySelector(`path.line.${arm}`);
        if (line === null) throw new Error(`no line of ${arm}`);
        const { stroke, strokeDasharray } = getComputedStyle(line);
        return { stroke, strokeDasharray };
      }),
    );
    expect(looks[0]?.stroke).not.toBe(looks[1]?.stroke);
    expect(looks[0]?.strokeDasharray).not.toBe(looks[1]?.strokeDasharray);
    await page.context().close();
  });
});

it('each line, interval and point of a plot names the numbers that it is drawn from', async () => {
  const { page } = await open(browser, urls.whole, 'light');
  const drawn = await page.evaluate(() =>
    [...document.querySelectorAll('path.line, line.range, circle.point, text.value')].map((one) => ({
      tag: one.tagName,
      source: one.getAttribute('data-source') ?? '',
    })),
  );
  await page.context().close();
  // Two plots of lines and two of intervals, one of which leaves out the baseline.
  expect(drawn.map(({ tag }) => tag).toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => 'circle'),
    ...Array.from({ length: 3 }, () => 'line'),
    ...Array.from({ length: 4 }, () => 'path'),
    ...Array.from({ length: 3 }, () => 'text'),
  ]);
  const values = drawn.map(({ source }) => valueOf(root, source));
  const of = (tag: string) => values.filter((_, index) => drawn[index]?.tag === tag);
  expect(of('path').map((points) => (Array.isArray(points) ? points.length : 0))).toEqual([30, 30, 30, 30]);
  expect(of('line').every((bounds) => Array.isArray(bounds) && bounds.length === 2)).toBe(true);
  expect(of('circle').every((value) => typeof value === 'number')).toBe(true);
});

describe.each(['whole', 'empty'] as const)('every number of the page of an experiment, %s', (which) => {
  it('is in the file that it cites, and each of a table at its place in report.json', async () => {
    const { page } = await open(browser, urls[which], 'light');
    const shown = await numbersOf(page);
    expect(faults(root, shown)).toEqual([]);
    const cells = shown.filter(({ within }) => within === 'td');
    expect(cells.length).toBeGreaterThan(which === 'whole' ? 30 : 0);
    expect(cells.filter(({ source }) => source?.includes('#/') !== true)).toEqual([]);
    await page.context().close();
  });
});

it('a wrong number on the page of an experiment is found', async () => {
  const { page } = await open(browser, urls.whole, 'light');
  await page.evaluate(() => {
    const cell = document.querySelector('table.metrics td span[data-source]');
    if (cell !== null) cell.textContent = '0.123';
  });
  expect(faults(root, await numbersOf(page))).toHaveLength(1);
  await page.context().close();
});
