/**
 * The terminal: shows a run as it goes. A TTY is repainted in place. Its cursor is hidden meanwhile and always given back.
 * A pipe, a log, or a TTY that is dumb or does not know its size gets lines. `run-view.ts` says what to show.
 */
import type { RunView } from '../../domain/jobs/progress.ts';
import { rowsOf } from './run-text.ts';
import { describeChanges, nothingTold, type ProgressByActivity, renderRunView, type Told } from './run-view.ts';

/** What is used of `process.stdout`. */
export interface TerminalStream {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  write(text: string): unknown;
}

export interface TerminalOptions {
  /** Of it `NO_COLOR` (not empty: no colours) and `TERM` (`dumb`: nothing is repainted) count. */
  env?: NodeJS.ProcessEnv;
  now?: () => Date;
}

export interface Watching {
  show(view: RunView, progress: ProgressByActivity): void;
  /** Why nothing new is shown. It stays until the next `show`; said twice, it is shown once. */
  note(sentence: string): void;
  /** Leaves what is shown and gives the cursor back. It may be called twice. */
  stop(): void;
}

const hideCursor = '\u001B[?25l';
const showCursor = '\u001B[?25h';
const clearLine = '\u001B[2K';
const clearBelow = '\u001B[0J';

export function watchTerminal(stream: TerminalStream, options: TerminalOptions = {}): Watching {
  const { env = {}, now = () => new Date() } = options;
  const lines = env['TERM'] === 'dumb' || sizeOf(stream) === undefined;
  return lines ? telling(stream, now) : repainting(stream, now, (env['NO_COLOR'] ?? '') === '');
}

/** Undefined if it is no terminal, or a terminal that does not know its size: it says 0 × 0, or nothing. */
export function sizeOf({
  isTTY,
  columns = 0,
  rows = 0,
}: TerminalStream): { columns: number; rows: number } | undefined {
  return isTTY === true && columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

function repainting(stream: TerminalStream, now: () => Date, color: boolean): Watching {
  let height = 0;
  let hidden = false;
  let known: ProgressByActivity = {};
  let size = { columns: 80, rows: 24 };
  let board: string[] = [];
  let noted = '';
  const paint = (lines: readonly string[]) => {
    if (!hidden) process.once('exit', stop);
    const { columns } = size;
    const up = height === 0 ? '' : `\u001B[${height}A`;
    const hide = hidden ? '' : hideCursor;
    stream.write(`${hide}${up}\r${lines.map((line) => `${clearLine}${line}\n`).join('')}${clearBelow}`);
    hidden = true;
    height = heightOf(lines, columns);
  };
  const stop = () => {
    process.off('exit', stop);
    if (hidden) stream.write(showCursor);
    hidden = false;
  };
  return {
    show(view, progress) {
      // Between two tries of an activity there is no heartbeat. What was shown last stays.
      known = { ...known, ...progress };
      size = sizeOf(stream) ?? size;
      const { columns, rows } = size;
      board = renderRunView(view, known, now(), { columns, color });
      noted = '';
      paint(lastRows(board, columns, rows - 1));
    },
    note(sentence) {
      if (sentence === noted) return;
      noted = sentence;
      size = sizeOf(stream) ?? size;
      paint(lastRows([...board, sentence], size.columns, size.rows - 1));
    },
    stop,
  };
}

/** Lines above the top of the screen cannot be repainted: of a screen that is too low, the end is shown. At least one line. */
function lastRows(lines: readonly string[], columns: number, rows: number): string[] {
  let first = lines.length - 1;
  while (first > 0 && heightOf(lines.slice(first - 1), columns) <= rows) first -= 1;
  return lines.slice(first);
}

/** A command may be wider than the terminal, which wraps it. */
function heightOf(lines: readonly string[], columns: number): number {
  return lines.reduce((rows, line) => rows + rowsOf(line, columns), 0);
}

function telling(stream: TerminalStream, now: () => Date): Watching {
  let told: Told = nothingTold;
  let noted = '';
  return {
    show(view, progress) {
      noted = '';
      const change = describeChanges(told, view, progress, now());
      told = change.told;
      for (const line of change.lines) stream.write(`${line}\n`);
    },
    note(sentence) {
      if (sentence !== noted) stream.write(`${sentence}\n`);
      noted = sentence;
    },
    stop() {
      // Nothing was changed that must be given back.
    },
  };
}
