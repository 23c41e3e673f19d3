import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileFault, readRegularFile, readRegularText, withRegularFile } from '../../files/regular-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a file that somebody else wrote', () => {
  it('is read whole when it is a regular file within the limit', async () => {
    writeFileSync(join(folder, 'a'), 'abc');
    expect((await readRegularFile(join(folder, 'a'), 3)).toString()).toBe('abc');
    writeFileSync(join(folder, 'empty'), '');
    expect(await readRegularFile(join(folder, 'empty'), 0)).toHaveLength(0);
  });

  it('is refused when it is larger than allowed, with its size', async () => {
    writeFileSync(join(folder, 'b'), 'abcd');
    const path = join(folder, 'b');
    await expect(readRegularFile(path, 3)).rejects.toThrow(
      `"${path}": expected a regular file of at most 3 bytes, got 4 bytes`,
    );
  });

  it('is refused at once when it is a named pipe, and no thread is left waiting in open', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    // More looks than libuv has threads: with a blocking open the fifth would never return.
    const looks = Array.from({ length: 8 }, () => readRegularFile(path, 10));
    for (const look of await Promise.allSettled(looks)) {
      expect(look).toMatchObject({ status: 'rejected', reason: { name: 'FileFault', got: 'a named pipe' } });
    }
  });

  it.each([
    ['a folder', '/tmp', 'a folder'],
    ['a device', '/dev/zero', 'a device'],
  ])('is refused when it is %s', async (_, path, got) => {
    await expect(readRegularFile(path, 10)).rejects.toMatchObject({ name: 'FileFault', got });
  });

  it('is refused when it is a socket, which cannot even be opened', async () => {
    const path = join(folder, 'socket');
    const server = createServer().listen(path);
    await once(server, 'listening');
    await expect(readRegularFile(path, 10)).rejects.toMatchObject({ name: 'FileFault', got: 'a socket' });
    server.close();
  });

  it('is refused when a link leads to a device', async () => {
    symlinkSync('/dev/zero', join(folder, 'zero'));
    await expect(readRegularFile(join(folder, 'zero'), 10)).rejects.toThrow(FileFault);
  });

  it('is refused behind a link only where the caller wants no links', async () => {
    writeFileSync(join(folder, 'target'), 'x');
    symlinkSync(join(folder, 'target'), join(folder, 'link'));
    expect((await readRegularFile(join(folder, 'link'), 10)).toString()).toBe('x');
    await expect(readRegularFile(join(folder, 'link'), 10, { noFollow: true })).rejects.toMatchObject({
      code: 'ELOOP',
    });
  });

  it('is read to its end where its size says nothing of it, within the limit', async () => {
    expect((await readRegularFile('/proc/self/status', 1024 * 1024)).toString()).toContain('Pid:');
    await expect(readRegularFile('/proc/self/status', 10)).rejects.toThrow('more than 10 bytes');
  });

  it('that is absent is a system error', async () => {
    await expect(withRegularFile(join(folder, 'none'), async () => 1)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('text that somebody else wrote', () => {
  it('is read without its byte order mark', async () => {
    const path = join(folder, 'text');
    writeFileSync(path, '\uFEFFblåhaj');
    expect(await readRegularText(path, 20)).toBe('blåhaj');
  });

  it('is refused when its bytes are no UTF-8, instead of being read with U+FFFD in their place', async () => {
    const path = join(folder, 'latin1');
    writeFileSync(path, Buffer.from('blåhaj', 'latin1'));
    await expect(readRegularText(path, 20)).rejects.toThrow(
      `"${path}": expected text in UTF-8, got bytes that are not UTF-8`,
    );
  });
});
