/** What the pages of a run, of nights and of an experiment are held to alike, in one browser a file. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { desk, faintWords, open, openBrowser, overflow, phone, schemes, unreachable, violations } from './browser.ts';

/** The browser of the file's tests. */
export let browser: Browser;

export function withBrowser(): void {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => browser.close());
}

/** Tests of one page, within its `describe`. It loads nothing, and can be read by whoever needs contrast, a phone or a keyboard. */
export function canBeRead(url: () => string): void {
  it.each(schemes)('has nothing that axe complains of, %s, and no faint word in a drawing', async (scheme) => {
    const { page, outside } = await open(browser, url(), scheme);
    expect(await violations(page)).toEqual([]);
    expect(await faintWords(page)).toEqual([]);
    expect(outside).toEqual([]);
    await page.context().close();
  });

  it.each([desk, phone])('is not wider than $width pixels, and a key reaches every part of it', async (size) => {
    const { page } = await open(browser, url(), 'light', size);
    expect(await overflow(page)).toBe(0);
    expect(await unreachable(page)).toEqual([]);
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });
}
