import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { RowLog } from '../../../activities/store/row-log.ts';
import { temporaryFolder } from '../fixtures.ts';

const schema = z.object({ id: z.string() });
let path: string;

beforeEach(async () => {
  path = join(await temporaryFolder(), 'rows.jsonl');
});

async function reopen() {
  const opened = await RowLog.open(path, schema);
  await opened.log.close();
  return opened;
}

describe('the row log', () => {
  it('gives back what was appended, in order, however many came at once', async () => {
    const { log } = await RowLog.open(path, schema);
    const rows = Array.from({ length: 100 }, (_, index) => ({ id: `p${index}` }));
    await Promise.all(rows.map((row) => log.append(row)));
    await log.close();
    expect((await reopen()).rows).toEqual(rows);
  });

  it('cuts off a torn last line, and goes on after it', async () => {
    await writeFile(path, '{"id":"a"}\n{"id":"b"}\n{"id":"c');
    const { log, rows, tornBytes } = await RowLog.open(path, schema);
    expect(rows).toEqual([{ id: 'a' }, { id: 'b' }]);
    expect(tornBytes).toBe(8);
    await log.append({ id: 'd' });
    await log.close();
    expect(await readFile(path, 'utf8')).toBe('{"id":"a"}\n{"id":"b"}\n{"id":"d"}\n');
  });

  it('keeps a whole last line that only lacks its newline', async () => {
    await writeFile(path, '{"id":"a"}\n{"id":"b"}');
    expect((await reopen()).rows).toEqual([{ id: 'a' }, { id: 'b' }]);
    expect(await readFile(path, 'utf8')).toBe('{"id":"a"}\n{"id":"b"}\n');
  });

  it('counts a damaged line in the middle and keeps the rows around it', async () => {
    await writeFile(path, '{"id":"a"}\n\0\0\0\n{"id":7}\n{"id":"b"}\n');
    const { rows, unreadable } = await reopen();
    expect(rows).toEqual([{ id: 'a' }, { id: 'b' }]);
    expect(unreadable).toBe(2);
  });

  it('never counts a row whose write failed, nor any after it', async () => {
    const { log } = await RowLog.open(path, schema);
    await log.append({ id: 'a' });
    await log.close();
    await expect(log.append({ id: 'b' })).rejects.toThrow('file closed');
    await expect(log.append({ id: 'c' })).rejects.toThrow('file closed');
    await appendFile(path, '');
    expect((await reopen()).rows).toEqual([{ id: 'a' }]);
  });
});
