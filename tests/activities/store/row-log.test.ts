import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { KeyedLock } from '../../../activities/store/keyed-lock.ts';
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

describe('the keyed lock', () => {
  const never = new AbortController().signal;

  it('lets one work at a time per key, in order, also after a failure', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const work = (name: string, fails = false) =>
      lock.hold('key', never, async () => {
        seen.push(`${name} in`);
        await Promise.resolve();
        seen.push(`${name} out`);
        if (fails) throw new Error(name);
      });
    await Promise.allSettled([work('a', true), work('b'), work('c')]);
    expect(seen).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  });

  it('stays closed when one who waited gives up', async () => {
    const lock = new KeyedLock();
    const { promise: open, resolve: finish } = Promise.withResolvers<void>();
    const first = lock.hold('key', never, () => open);
    const controller = new AbortController();
    const second = lock.hold('key', controller.signal, async () => 'second');
    controller.abort(new Error('gave up'));
    await expect(second).rejects.toThrow('gave up');
    let entered = false;
    const third = lock.hold('key', never, async () => {
      entered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(entered).toBe(false);
    finish();
    await Promise.all([first, third]);
    expect(entered).toBe(true);
  });
});
