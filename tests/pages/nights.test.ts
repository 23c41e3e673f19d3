/** nights.html in real Chromium, and whether each of its numbers is from a file of the store. */
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeNights } from '../../activities/pages/nights.ts';
import { makeStore } from '../activities/evaluation/evaluation-fixtures.ts';
import { threeWeeks } from '../activities/pages/nights-fixtures.ts';
import { open } from './browser.ts';
import { browser, canBeRead, withBrowser } from './readable.ts';
import { faults, numbersOf } from './traced.ts';

const urls: Record<'whole' | 'empty', string> = { whole: '', empty: '' };
const roots: Record<'whole' | 'empty', string> = { whole: '', empty: '' };

withBrowser();
beforeAll(async () => {
  const now = () => new Date('2026-11-22T08:00:00Z');
  const [whole, empty] = [await makeStore(), await makeStore()];
  await threeWeeks(whole);
  urls.whole = pathToFileURL((await writeNights({ store: whole }, now)).path).href;
  urls.empty = pathToFileURL((await writeNights({ store: empty }, now)).path).href;
  roots.whole = whole.root;
  roots.empty = empty.root;
});

describe.each(['whole', 'empty'] as const)('the page of nights, %s', (which) => {
  canBeRead(() => urls[which]);

  it('has every number from a file of the store, those of tables from the very value', async () => {
    const { page } = await open(browser, urls[which], 'light');
    const shown = await numbersOf(page);
    expect(faults(roots[which], shown)).toEqual([]);
    const cells = shown.filter(({ within }) => ['td', 'th', 'dd'].includes(within ?? ''));
    expect(cells.filter(({ source }) => source?.includes('#') !== true)).toEqual([]);
    await page.context().close();
  });
});

it('a number that is not what its file says is told', async () => {
  const { page } = await open(browser, urls.whole, 'light');
  await page.evaluate(() => {
    const first = document.querySelector('.nights tbody td [data-source]');
    if (first !== null) first.textContent = '0.123';
  });
  expect(faults(roots.whole, await numbersOf(page))).toHaveLength(1);
  await page.context().close();
});
