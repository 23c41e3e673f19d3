/** A run's report in real Chromium: light and dark, at a desk and on a phone, with a keyboard alone. */
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../activities/store/artifact-store.ts';
import { makeStore } from '../activities/evaluation/evaluation-fixtures.ts';
import { wholeRun, writeReport } from '../activities/report/report-fixtures.ts';
import { open, type Scheme } from './browser.ts';
import { browser, canBeRead, withBrowser } from './readable.ts';
import { faults, numbersOf } from './traced.ts';

/** A run with everything, of which an attempt failed. */
async function brokenRun(store: ArtifactStore, uncertain: unknown[]) {
  const whole = await wholeRun(store, uncertain);
  const failed = {
    stage: 'grpo',
    attempt: 1,
    jobId: '4710',
    state: 'OUT_OF_MEMORY',
    seconds: 605,
    gpuHours: 0.168,
  } as const;
  return { ...whole, jobs: [failed, ...(whole.jobs ?? [])] };
}

const urls: Record<'whole' | 'empty', string> = { whole: '', empty: '' };
let root = '';

withBrowser();
beforeAll(async () => {
  const store = await makeStore();
  root = store.root;
  const uncertain = [{ id: 'p1', request: 'key-1', usd: 0.01 }];
  urls.whole = pathToFileURL((await writeReport(store, await brokenRun(store, uncertain))).path).href;
  urls.empty = pathToFileURL((await writeReport(store, {})).path).href;
});

describe.each(['whole', 'empty'] as const)('the report of a run, %s', (which) => {
  canBeRead(() => urls[which]);

  it('is dark for those who want that', async () => {
    const paper = async (scheme: Scheme) => {
      const { page } = await open(browser, urls[which], scheme);
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    };
    expect(await paper('light')).not.toBe(await paper('dark'));
  });

  it('has every number from a file of the store, those of tables from the very value', async () => {
    const { page } = await open(browser, urls[which], 'light');
    const shown = await numbersOf(page);
    expect(faults(root, shown)).toEqual([]);
    const cells = shown.filter(({ within }) => ['td', 'th', 'dd', 'h1'].includes(within ?? ''));
    expect(cells.filter(({ source }) => source?.includes('#') !== true)).toEqual([]);
    await page.context().close();
  });
});

describe('the critiques of a report', () => {
  it('are gone through from the smallest error to the largest, by keys', async () => {
    const { page } = await open(browser, urls.whole, 'light');
    const shownNow = () =>
      page.evaluate(() => {
        const strip = document.querySelector('.strip');
        const left = strip?.getBoundingClientRect().left ?? 0;
        const all = [...document.querySelectorAll('.strip .sample')];
        return all.findIndex((one) => Math.abs(one.getBoundingClientRect().left - left) < 3) + 1;
      });
    expect(await shownNow()).toBe(1);
    await page.locator('.errors a').nth(6).focus();
    await page.keyboard.press('Enter');
    await expect.poll(shownNow, { timeout: 5000 }).toBe(7);
    await page.locator('.strip').focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(shownNow, { timeout: 5000 }).toBe(8);
    await page.context().close();
  });
});

describe('a report of a run with failures', () => {
  it('begins with them', async () => {
    const { page } = await open(browser, urls.whole, 'light');
    expect(await page.locator('main h2').first().textContent()).toBe('Look at this first');
    const said = await page.locator('main section').first().innerText();
    expect(said).toMatch(/grpo, attempt 1 \(job 4710\): OUT_OF_MEMORY after 10:05/);
    await page.context().close();
  });
});
