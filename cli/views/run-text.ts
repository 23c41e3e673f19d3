/** Text for terminals: what jobs and servers wrote, cleaned; lines within a width; times. Pure. */
import { stripVTControlCharacters } from 'node:util';

/** One line of text that a job or a server wrote, without escape sequences and control characters. Of parts between `\r` the last counts. */
export function clean(text: string): string {
  const last = stripVTControlCharacters(text).trimEnd().split('\r').at(-1) ?? '';
  return last.replaceAll('\t', ' ').replaceAll(/\p{Cc}/gu, '');
}

/** Several lines of such a text, each clean. Empty ones are left out. */
export function cleanLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => clean(line))
    .filter((line) => line.trim() !== '');
}

/** Such a text in one line. */
export function cleanInOne(text: string): string {
  return cleanLines(text)
    .map((line) => line.trim())
    .join('; ');
}

/** How a line with a command begins. It is to be copied, so it is neither wrapped nor cut: a terminal copies what it wraps itself as one line. */
export const commandIndent = '    ';
export const logIndent = '  | ';

/** A line within `width`: a command as it is, a line of a log cut, any other wrapped at its spaces, and further lines indented as the first. */
export function fitted(line: string, width: number): string[] {
  if (line.startsWith(commandIndent)) return [line];
  if (line.length <= width || line.startsWith(logIndent)) return [cut(line, width)];
  const indent = line.slice(0, line.length - line.trimStart().length);
  return wrapped(line.trimStart(), width - indent.length).map((part) => `${indent}${part}`);
}

/** Wrapped at its spaces. A word that is wider alone (a path, an address) is left whole. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let last = '';
  for (const word of text.split(' ')) {
    if (last !== '' && last.length + 1 + word.length > width) {
      lines.push(last);
      last = '';
    }
    last = last === '' ? word : `${last} ${word}`;
  }
  return [...lines, last];
}

const segmenter = new Intl.Segmenter();

export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const characters = Array.from(segmenter.segment(text), ({ segment }) => segment);
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

/** Rows that a line takes in a terminal of so many columns, which wraps it by itself. Escape sequences take none. */
export function rowsOf(line: string, columns: number): number {
  const seen = Array.from(segmenter.segment(stripVTControlCharacters(line))).length;
  return Math.max(1, Math.ceil(seen / columns));
}

/** `75` → `1:15`, `4000` → `1:06:40`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `2026-11-28T19:00:00.000Z` → `2026-11-28 19:00 UTC`. */
export function minuteOf(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}
