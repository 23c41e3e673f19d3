/**
 * A page in real Chromium (`chromium` on PATH, or CHROMIUM), and what its readers need: no violation that axe finds, contrast of what is drawn, nothing wider
 * than a phone, everything within reach of the keyboard, nothing loaded from elsewhere.
 */
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, chromium, type Page } from 'playwright-core';

export const schemes = ['light', 'dark'] as const;
export type Scheme = (typeof schemes)[number];
/** A small phone. */
export const phone = { width: 375, height: 700 };
export const desk = { width: 1200, height: 900 };

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
}

export interface Opened {
  page: Page;
  /** Requests but for the page itself, and what was written to the console as an error. */
  outside: string[];
}

export async function open(browser: Browser, url: string, colorScheme: Scheme, viewport = desk): Promise<Opened> {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const outside: string[] = [];
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) outside.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') outside.push(message.text());
  });
  page.on('pageerror', (error) => outside.push(error.message));
  await page.goto(url);
  return { page, outside };
}

/** What axe finds, one line a violation. WCAG 2.2 AA and axe's own best practices. */
export async function violations(page: Page): Promise<string[]> {
  const found = await new AxeBuilder({ page }).analyze();
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/**
 * Words in drawings whose contrast with the page is below 4.5: axe does not judge SVG. Each as its text and its contrast. The colour below a drawing is
 * taken from the page's body.
 */
export async function faintWords(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    // A colour of any notation as the numbers of a pixel.
    const luminance = (color: string) => {
      if (canvas === null) throw new Error('no canvas');
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r = 0, g = 0, b = 0] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = luminance(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('svg text')].flatMap((text) => {
      const ink = luminance(getComputedStyle(text).fill);
      const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      return contrast >= 4.5 ? [] : [`${text.textContent}: ${contrast.toFixed(2)}`];
    });
  });
}

/** Pixels by which the page is wider than its window. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Presses Tab until the focus has been everywhere; what had it, in order, as `tag.class` or its text. */
export async function tabOrder(page: Page): Promise<string[]> {
  const seen: string[] = [];
  for (let presses = 0; presses < 500; presses += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const focused = document.activeElement;
      if (focused === null || focused === document.body) return undefined;
      const [mark, known] = ['data-tabbed', focused.hasAttribute('data-tabbed')];
      focused.setAttribute(mark, '');
      const label = focused.getAttribute('aria-label') ?? focused.textContent?.trim().slice(0, 60) ?? '';
      return known ? undefined : `${focused.tagName.toLowerCase()}: ${label}`;
    });
    if (at === undefined) return seen;
    seen.push(at);
  }
  return seen;
}

/** Parts that scroll sideways or unfold, and that no key reaches. */
export async function unreachable(page: Page): Promise<string[]> {
  await tabOrder(page);
  return page.evaluate(() => {
    const wide = [...document.querySelectorAll('*')].filter((one) => {
      const { overflowX } = getComputedStyle(one);
      return ['auto', 'scroll'].includes(overflowX) && one.scrollWidth > one.clientWidth && one.clientWidth > 0;
    });
    const parts = [...wide, ...document.querySelectorAll('summary, a[href], input, button, select')];
    return parts.filter((one) => !one.hasAttribute('data-tabbed')).map((one) => one.outerHTML.slice(0, 120));
  });
}
