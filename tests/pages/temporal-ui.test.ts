/** A run in the real Temporal UI, in real Chromium: its page, and the forms by which it is answered. */
import { ApplicationFailure } from '@temporalio/common';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { closeUpdate, fillUpdate, sendUpdate } from '../../docs/pictures/ui.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { artifact, start, stubs, until, withWorkers } from '../workflows/harness.ts';
import { desk, openBrowser } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

/** The UI's page of a run. */
async function openRun(run: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { ...desk, height: 1400 } });
  page.setDefaultTimeout(60_000);
  await page.goto(`${inject('temporalUi')}/namespaces/default/workflows/${run}`);
  await page.getByText('User Metadata').first().waitFor();
  return page;
}

/** The current details: the UI renders them in a frame of their own. */
async function details(page: Page): Promise<string> {
  await page.getByText('User Metadata').first().click();
  return until(
    async () => (await Promise.all(page.frames().map((frame) => frame.innerText('body').catch(() => '')))).join('\n'),
    (text) => text.includes('From any machine'),
  );
}

describe('a run that waits, in the Temporal UI', () => {
  it('says why, is answered by its form, and refuses a wrong answer there', { timeout: 400_000 }, async () => {
    const run = 'ui-waits';
    let isMended = false;
    const sentence = 'two faults:\n  row 3: <b>no</b> score | none\n  row 4: no image';
    const mixRecords = async () => {
      if (!isMended) throw ApplicationFailure.nonRetryable(sentence, 'DataInvalid');
      return artifact('mix', { records: 100 });
    };
    await withWorkers(stubs({ mixRecords }).activities, run, async (client) => {
      const handle = await start(client, run);
      const look = () => handle.query<RunView>('view');
      await until(look, ({ status }) => status === 'waiting');
      const page = await openRun(run);
      const text = await details(page);
      expect(text).toContain('Waiting for you (mix). two faults:');
      // Neither a table nor markup is made of what a fault says.
      expect(text).toContain('row 3: <b>no</b> score | none\nrow 4: no image');
      expect(text).toContain(`npm run critic -- answer ${run} mix retry --question mix-1\n`);
      expect(text).toContain(`npm run critic -- cancel ${run}`);

      const refusals = [
        [
          'answer',
          '{"stage": "grpo", "action": "retry"}',
          'the run does not ask about stage "grpo" now: it asks mix-1',
        ],
        ['answer', '{"stage": "mix", "action": "again"}', 'answer.action: expected retry, skip or abort, got "again"'],
        ['answer', '"retry"', 'answer: expected {"stage", "action", …}, got "retry"'],
        ['pause', '{"note": 5}', 'pause.note: expected'],
      ] as const;
      for (const [update, json, refusal] of refusals) {
        await fillUpdate(page, update, json);
        expect(await sendUpdate(page)).toMatch(refusal);
        expect(await page.getByRole('dialog').filter({ hasText: 'Send an Update' }).innerText()).not.toContain(' at ');
        await closeUpdate(page);
      }
      expect((await look()).questions).toMatchObject([{ id: 'mix-1' }]);

      isMended = true;
      await fillUpdate(page, 'answer', '{"stage": "mix", "action": "retry", "question": "mix-1"}');
      expect(await sendUpdate(page)).toBeUndefined();
      expect(await handle.result()).toMatchObject({ passed: true });
    });
  });
});
