/** Tables of verbs: within a terminal's width, whole on a pipe. */
import { describe, expect, it } from 'vitest';
import { columnsOf, fittedTable } from '../../cli/views/table.ts';

const rows = [
  ['NAME', 'N', 'RUN'],
  ['a'.repeat(30), '1', 'b'.repeat(40)],
];

describe('a table', () => {
  it('is whole where there is no width', () => {
    const stream = { write: () => true };
    expect(columnsOf(stream)).toBe(Infinity);
    expect(columnsOf({ ...stream, isTTY: true, columns: 0, rows: 0 })).toBe(Infinity);
    expect(fittedTable(rows, [2, 0], Infinity)[1]).toBe(`${'a'.repeat(30)}  1  ${'b'.repeat(40)}`);
  });

  it('has cells cut where it must, first those that yield first, and keeps the others', () => {
    expect(columnsOf({ write: () => true, isTTY: true, columns: 60, rows: 9 })).toBe(60);
    expect(fittedTable(rows, [2, 0], 60)[1]).toBe(`${'a'.repeat(30)}  1  ${'b'.repeat(24)}…`);
    expect(fittedTable(rows, [2, 0], 40)[1]).toBe(`${'a'.repeat(26)}…  1  ${'b'.repeat(7)}…`);
    for (const columns of [80, 60, 40, 20, 5]) {
      for (const line of fittedTable(rows, [2, 0], columns)) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });
});
