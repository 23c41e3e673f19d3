/** Text of a job's log for a terminal: what a job prints must not move the cursor or colour anything. Pure. */
import { stripVTControlCharacters } from 'node:util';

/** Without control characters. A progress bar rewrites its line by carriage returns: what a terminal would show last counts. */
export function plainLog(text: string): string {
  return (
    stripVTControlCharacters(text)
      .split('\n')
      .map((line) => line.replace(/\r+$/, ''))
      .map((line) => line.slice(line.lastIndexOf('\r') + 1))
      .join('\n')
      // oxlint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '')
  );
}

/** Bytes in words: `12 B`, `3.4 MiB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
