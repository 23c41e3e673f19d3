/** The page of a scoring in real Chromium: light and dark, at a desk and on a phone, with a keyboard alone. */
import { pathToFileURL } from 'node:url';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeScores } from '../../activities/scoring/writing.ts';
import { answer, answersOf, picturesIn, publish, rowsIn } from '../activities/scoring/fixtures.ts';
import { makeStore } from '../activities/evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity, makePlan } from '../activities/fixtures.ts';
import { desk, open, openBrowser, overflow, phone, schemes, unreachable, violations } from './browser.ts';

let browser: Browser;
const urls: Record<'score' | 'evaluate', string> = { score: '', evaluate: '' };

beforeAll(async () => {
  browser = await openBrowser();
  const store = await makeStore();
  const folder = await picturesIn(14);
  await writeFile(join(folder, 'edited', '1.png'), 'no picture');
  for (const purpose of ['score', 'evaluate'] as const) {
    const opinion = (index: number) => 1 + (4 * index) / 13;
    const pairs = await publish(store, rowsIn(folder, 14, opinion));
    const numbers = Array.from({ length: 14 }, (_, index) => index + 1).filter((n) => n !== 2);
    const predictions = await answersOf(store, numbers, (n) => [
      n === 3 ? 'a-word-without-an-end'.repeat(20) : answer(opinion(n - 1)),
      answer(3),
      answer(2),
    ]);
    const order = {
      schema: 1 as const,
      id: `${purpose}-c-20261129-031500`,
      purpose,
      critic: { champion: 'c' },
      pairs: { kind: 'table' as const, path: '/p.csv' },
    };
    const { env } = activityEnvironment();
    const input = { order, plan: makePlan('/data'), words: 'champion c, version 1 (run r)', pairs, predictions };
    const { files } = await inActivity(env, () => writeScores(store, input));
    urls[purpose] = pathToFileURL(files.html).href;
  }
});
afterAll(async () => browser.close());

describe.each(['score', 'evaluate'] as const)('the page of a scoring, %s', (which) => {
  it.each(schemes)('has nothing that axe complains of, and loads nothing, %s', async (scheme) => {
    const { page, outside } = await open(browser, urls[which], scheme);
    expect(await page.locator('article img').count()).toBe(26);
    expect(await violations(page)).toEqual([]);
    expect(outside).toEqual([]);
    await page.context().close();
  });

  it.each([desk, phone])('is not wider than $width pixels, and a key reaches every part of it', async (size) => {
    const { page } = await open(browser, urls[which], 'light', size);
    expect(await overflow(page)).toBe(0);
    expect(await unreachable(page)).toEqual([]);
    await page.context().close();
  });
});
