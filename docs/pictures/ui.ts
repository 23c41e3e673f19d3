/** Pictures of web pages in headless Chromium (`chromium` on PATH, or CHROMIUM). */
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

const settleMs = 1500;

async function withPage<T>(size: { width: number; height: number }, work: (page: Page) => Promise<T>): Promise<T> {
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--hide-scrollbars'],
  });
  try {
    return await work(await browser.newPage({ viewport: size, colorScheme: 'light' }));
  } finally {
    await browser.close();
  }
}

/** The top of a page. */
export async function photograph(url: string, path: string, size: { width: number; height: number }): Promise<void> {
  await withPage(size, async (page) => {
    await page.goto(url, { waitUntil: 'networkidle' });
    await page.screenshot({ path });
  });
}

/** The list of runs, and the page of one with its details, as an operator sees them. */
export async function photographUi(ui: string, run: string, folder: string): Promise<void> {
  await withPage({ width: 1400, height: 900 }, async (page) => {
    const query = encodeURIComponent('WorkflowType="trainCritic"');
    await page.goto(`${ui}/namespaces/default/workflows?query=${query}`, { waitUntil: 'networkidle' });
    await page.waitForTimeout(settleMs);
    await page.screenshot({ path: join(folder, 'ui-runs.png') });
    await page.goto(`${ui}/namespaces/default/workflows/${run}`, { waitUntil: 'networkidle' });
    await page.waitForTimeout(settleMs);
    const details = page.getByText('User Metadata', { exact: false }).first();
    if (await details.isVisible()) {
      await details.click();
      await page.waitForTimeout(settleMs);
    }
    await page.screenshot({ path: join(folder, 'ui-run.png') });
  });
}
