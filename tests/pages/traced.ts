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
  /** What it is in, if that is a cell (not the heading of a column), a description, the title or an item of a list. */
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
      found.push({ text, source, within: parent.closest('td, tbody th, dd, h1, li')?.tagName.toLowerCase() ?? null });
    }
    return found;
  });
}

/** What is wrong with what is shown, one line each. */
export function faults(root: string, shown: readonly Shown[]): string[] {
  return shown.flatMap(({ text, source }) => {
    if (source === null) return [`"${text}" is from nowhere`];
    const parts = source.split(' ').map((one) => read(root, one));
    const missing = parts.flatMap((part) => ('missing' in part ? [`"${text}": ${part.missing} is not there`] : []));
    const values = parts.flatMap((part) => ('value' in part ? [part.value] : []));
    if (missing.length > 0 || values.length === 0) return missing;
    const sum = values.reduce((all: number, one) => all + (typeof one === 'number' ? one : Number.NaN), 0);
    const value = values.length === 1 ? values[0] : sum;
    return shows(text, value) ? [] : [`"${text}" is not ${JSON.stringify(value)}, which ${source} says`];
  });
}

/** What the file says at the place that a source names. Undefined: there is no such file or place. */
export function valueOf(root: string, source: string): unknown {
  const found = read(root, source);
  return 'value' in found ? found.value : undefined;
}

/** What a source says. Of a whole file or folder: nothing but that it is there. */
function read(root: string, source: string): { missing: string } | { value: unknown } | Record<string, never> {
  const [file = '', pointer] = source.split('#');
  const path = join(root, file);
  if (!existsSync(path)) return { missing: file };
  if (pointer === undefined) return {};
  const content = readFileSync(path, 'utf8');
  // Rows of JSON Lines are counted from 0.
  const json: unknown = file.endsWith('.jsonl')
    ? content.split('\n').map((line): unknown => (line === '' ? null : JSON.parse(line)))
    : JSON.parse(content);
  return { value: valueAt(json, pointer) };
}

function valueAt(json: unknown, pointer: string): unknown {
  let at = json;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    at = typeof at === 'object' && at !== null ? Object.entries(at).find(([key]) => key === name)?.[1] : undefined;
  }
  return at;
}

/** Does a text show a value: a number to the digits that it has, per cent, or a time; a text itself, a part of it, a number in it, or the minute of a time? */
function shows(text: string, value: unknown): boolean {
  if (typeof value === 'string') {
    const plain = (words: string) => words.replace(/\s+/g, ' ').trim();
    const numbers = [...value.matchAll(/\d+(?:\.\d+)?/g)].map(([number]) => Number(number));
    return (
      plain(value).includes(text) ||
      value.replace('T', ' ').startsWith(text.replace(/ UTC$/, '')) ||
      numbers.some((number) => isRounded(text, number))
    );
  }
  return typeof value === 'number' && (isTime(text, value) || isRounded(text, value));
}

function isTime(text: string, seconds: number): boolean {
  if (!/^(?:\d+:)?\d+:\d\d$/.test(text)) return false;
  return Math.abs(text.split(':').reduce((all, part) => 60 * all + Number(part), 0) - seconds) <= 0.5;
}

function isRounded(text: string, value: number): boolean {
  const said = text
    .replace('−', '-')
    .replace(/^([+-]?)\$/, '$1')
    .replaceAll(',', '');
  const [whole, decimals = '', percent] = /^[+-]?\d+(?:\.(\d+))?( %)?$/.exec(said) ?? [];
  if (whole === undefined) return false;
  const scale = percent === undefined ? 1 : 100;
  return Math.abs(Number(said.replace(' %', '')) - scale * value) <= 0.5 * 10 ** -decimals.length + 1e-9;
}
