/** Tables of verbs within the width of what they are printed on. A pipe has no width: what is piped is whole. Pure. */
import { textTable } from '../../domain/text-table.ts';
import { cut } from './run-text.ts';
import { sizeOf, type TerminalStream } from './terminal.ts';

/** Where nothing says how wide it is. */
export const usualColumns = 80;

/** Columns of a terminal. A pipe, a file, or a terminal that does not know its size has no end. */
export function columnsOf(stream: TerminalStream): number {
  return sizeOf(stream)?.columns ?? Infinity;
}

/** No cell is cut below this many characters while another one can give way. */
const leastCell = 8;

/**
 * Rows of cells as lines of at most `columns` characters. `yielding`: indices of the columns whose cells are cut where they must be, the first ones
 * first. Where that is not enough, lines are cut.
 */
export function fittedTable(
  rows: readonly (readonly string[])[],
  yielding: readonly number[],
  columns = usualColumns,
): string[] {
  return textTable(fittedCells(rows, yielding, columns, 2)).map((line) => cut(line, columns));
}

/** The cells of such a table, with `gap` blanks between its columns. */
export function fittedCells(
  rows: readonly (readonly string[])[],
  yielding: readonly number[],
  columns: number,
  gap: number,
): string[][] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, at) => Math.max(0, ...rows.map((row) => row[at]?.length ?? 0)));
  let over = widths.reduce((sum, width) => sum + width, 0) + gap * (count - 1) - columns;
  for (const at of yielding) {
    const width = widths[at] ?? 0;
    const gives = Math.max(0, Math.min(over, width - leastCell));
    widths[at] = width - gives;
    over -= gives;
  }
  return rows.map((row) => row.map((cell, at) => cut(cell, widths[at] ?? cell.length)));
}
