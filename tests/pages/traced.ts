/**
 * Is every number of a page from a file of the store? Each text with a digit must be in an element with `data-source`: files or folders that there are, and with
 * `#` and a JSON pointer the very value that is shown.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

export interface Shown {
  text: string;
  source: string | null;
  /** The table cell, term or heading in which it is. */
  within: string | null;
}

/** Every text of the page that has a digit, with the source of what it is in. */
export async function numbersOf(page: Page): Promise<Shown[]> {
  return page.evaluate(() => {
    const found: { text: string; source: string | null; within: string | null }[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const text = (node.textContent ?? '').replace(/\s+/g, ' ').trim();
      const parent = node.parentElement;
      if (parent === null || !/\d/.test(text)) continue;
      const source = parent.closest('[data-source]')?.getAttribute('data-source') ?? null;
      found.push({ text, source, within: parent.closest('td, th, dd, h1, li')?.tagName.toLowerCase() ?? null });
    }
    return found;
  });
}

/** What is wrong with what is shown, one line each. */
export function faults(root: string, shown: readonly Shown[]): string[] {
  return shown.flatMap(({ text, source }) => {
    if (source === null) return [`"${text}" is from nowhere`];
    return source.split(' ').flatMap((one) => faultOf(root, text, one));
  });
}

function faultOf(root: string, text: string, source: string): string[] {
  const [file = '', pointer] = source.split('#');
  const path = join(root, file);
  if (!existsSync(path)) return [`"${text}": ${file} is not there`];
  if (pointer === undefined) return [];
  const value = valueAt(JSON.parse(readFileSync(path, 'utf8')), pointer);
  return shows(text, value) ? [] : [`"${text}" is not ${JSON.stringify(value)}, which ${source} says`];
}

function valueAt(json: unknown, pointer: string): unknown {
  let at = json;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    at = typeof at === 'object' && at !== null ? Object.entries(at).find(([key]) => key === name)?.[1] : undefined;
  }
  return at;
}

/** Does a text show a value: a number to the digits that it has, per cent, or a time; a text itself, or the minute of a time? */
function shows(text: string, value: unknown): boolean {
  if (typeof value === 'string')
    return value === text || value.replace('T', ' ').startsWith(text) || value.includes(text);
  if (typeof value !== 'number') return false;
  const [clock] = /^(?:\d+:)?\d+:\d\d$/.exec(text) ?? [];
  if (clock !== undefined) {
    const seconds = clock.split(':').reduce((all, part) => 60 * all + Number(part), 0);
    return Math.abs(seconds - value) <= 0.5;
  }
  const said = text
    .replace('−', '-')
    .replace(/^([+-]?)\$/, '$1')
    .replaceAll(',', '');
  const [whole, decimals = '', percent] = /^[+-]?\d+(?:\.(\d+))?( %)?$/.exec(said) ?? [];
  if (whole === undefined) return false;
  const scale = percent === undefined ? 1 : 100;
  return Math.abs(Number(said.replace(' %', '')) - scale * value) <= 0.5 * 10 ** -decimals.length + 1e-9;
}
