import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { senderOf } from '../../../activities/notify/channels.ts';
import type { Notice } from '../../../domain/notices/notice.ts';

const root = mkdtempSync(join(tmpdir(), 'critic-file-channel-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const notice: Notice = { id: 'n1', kind: 'failed', at: '2026-11-28T01:00:00.000Z', title: 't', text: '', commands: [] };
const sendTo = (path: string) => senderOf({ file: { path } })(notice, new AbortController().signal);

describe('a file', () => {
  it('whose last line a full disk has cut gets the next notice on a line of its own', async () => {
    const path = join(root, 'lines.jsonl');
    writeFileSync(path, '{"id":"cut');
    await sendTo(path);
    await sendTo(path);
    const whole = JSON.stringify(notice);
    expect(readFileSync(path, 'utf8')).toBe(`{"id":"cut\n${whole}\n${whole}\n`);
  });

  it('that is a pipe or a device is refused at once', async () => {
    const pipe = join(root, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [pipe, '/dev/full']) await expect(sendTo(path)).rejects.toThrow('expected a regular file');
  });

  it('in a folder that is not there is an error that names it', async () => {
    await expect(sendTo(join(root, 'none', 'lines.jsonl'))).rejects.toThrow(join(root, 'none', 'lines.jsonl'));
  });
});
