/** Web pages in headless Chromium (`chromium` on PATH, or CHROMIUM): their pictures, and the forms of the Temporal UI. */
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

/** The top of a page, or all of it. */
export async function photograph(
  url: string,
  path: string,
  size: { width: number; height: number },
  { fullPage = false } = {},
): Promise<void> {
  await withPage(size, async (page) => {
    await page.goto(url, { waitUntil: 'networkidle' });
    await page.screenshot({ path, fullPage });
  });
}

/** An open run is polled for, so the network is never idle. */
async function openRun(page: Page, ui: string, run: string): Promise<void> {
  await page.goto(`${ui}/namespaces/default/workflows/${run}`, { waitUntil: 'load' });
  await page.getByText('User Metadata').first().waitFor();
  await page.waitForTimeout(settleMs);
}

/** Opens the form for updates, chooses one by its name, as the form lists it, and types its JSON. Nothing is sent. */
export async function fillUpdate(page: Page, name: string, json: string): Promise<void> {
  await page.getByRole('button', { name: 'More Actions' }).click();
  await page.locator('[role=menuitem]:visible').filter({ hasText: 'Send an Update' }).click();
  await page.locator('[data-testid=update-select-button]:visible').click();
  await page
    .locator('[role=option]:visible')
    .filter({ has: page.getByText(name, { exact: true }) })
    .click();
  const form = page.getByRole('dialog').filter({ hasText: 'Send an Update' });
  await form.locator('[role=textbox][contenteditable=true]').click();
  await page.keyboard.insertText(json);
  // The form puts JSON in order when it is left, which moves the button.
  await form.getByText('Data', { exact: true }).click();
  await page.waitForTimeout(settleMs);
}

/** Sends what was filled in. Undefined: the run has taken it. Otherwise what the form says; it stays open. */
export async function sendUpdate(page: Page): Promise<string | undefined> {
  const form = page.getByRole('dialog').filter({ hasText: 'Send an Update' });
  await page.locator('[data-testid=confirm-modal-button]:visible').click();
  const refused = page.locator('[role=alert]:visible').filter({ hasText: /\S/ });
  const taken = form.waitFor({ state: 'hidden' }).then(() => undefined);
  return Promise.race([taken, refused.first().innerText()]);
}

export async function closeUpdate(page: Page): Promise<void> {
  const form = page.getByRole('dialog').filter({ hasText: 'Send an Update' });
  await form.getByRole('button', { name: 'Cancel' }).last().click();
  await form.waitFor({ state: 'hidden' });
}

/** The list of runs; the page of one with its details; of one that waits also the form for answers, and how it refuses a value. Nothing is changed. */
export async function photographUi(ui: string, run: string, folder: string): Promise<void> {
  await withPage({ width: 1400, height: 1150 }, async (page) => {
    const query = encodeURIComponent('WorkflowType="trainCritic"');
    await page.goto(`${ui}/namespaces/default/workflows?query=${query}`, { waitUntil: 'load' });
    await page.waitForTimeout(2 * settleMs);
    await page.screenshot({ path: join(folder, 'ui-runs.png') });
    await openRun(page, ui, run);
    await page.getByText('User Metadata').first().click();
    await page.waitForTimeout(2 * settleMs);
    await page.screenshot({ path: join(folder, 'ui-run.png') });
    if ((await page.getByRole('button', { name: 'More Actions' }).count()) === 0) return;
    await fillUpdate(page, 'answer', '{"stage": "sft", "action": "again"}');
    await sendUpdate(page);
    await page.waitForTimeout(settleMs);
    await page.screenshot({ path: join(folder, 'ui-answer.png') });
  });
}
