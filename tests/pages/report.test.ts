/** A run's report in real Chromium: light and dark, at a desk and on a phone, with a keyboard alone. */
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeStore } from '../activities/evaluation/evaluation-fixtures.ts';
import { wholeRun, writeReport } from '../activities/report/report-fixtures.ts';
import { desk, faintWords, open, openBrowser, overflow, phone, schemes, unreachable, violations } from './browser.ts';

let browser: Browser;
const urls: Record<'whole' | 'empty', string> = { whole: '', empty: '' };

beforeAll(async () => {
  browser = await openBrowser();
  const store = await makeStore();
  const uncertain = [{ id: 'p1', request: 'key-1', usd: 0.01 }];
  urls.whole = pathToFileURL((await writeReport(store, await wholeRun(store, uncertain))).path).href;
  urls.empty = pathToFileURL((await writeReport(store, {})).path).href;
});
afterAll(async () => browser.close());

describe.each(['whole', 'empty'] as const)('the report of a run, %s', (which) => {
  it.each(schemes)('has nothing that axe complains of, %s, and no faint word in a drawing', async (scheme) => {
    const { page, outside } = await open(browser, urls[which], scheme);
    expect(await violations(page)).toEqual([]);
    expect(await faintWords(page)).toEqual([]);
    expect(outside).toEqual([]);
    await page.context().close();
  });

  it('is dark for those who want that', async () => {
    const paper = async (scheme: (typeof schemes)[number]) => {
      const { page } = await open(browser, urls[which], scheme);
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    };
    expect(await paper('light')).not.toBe(await paper('dark'));
  });

  it.each([desk, phone])('is not wider than $width pixels, and a key reaches every part of it', async (size) => {
    const { page } = await open(browser, urls[which], 'light', size);
    expect(await overflow(page)).toBe(0);
    expect(await unreachable(page)).toEqual([]);
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });
});
