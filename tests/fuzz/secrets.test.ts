/** Files of keys and tokens that are none: refused at once with the file's name, and nothing of their content is shown. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileToken } from 'slurm-rest-client';
import { afterAll, describe, expect, it } from 'vitest';
import { readApiKey } from '../../activities/teacher/api-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file as the case says; secrets are for their owner alone. */
function made(name: string, content: string | undefined): string {
  const path = join(folder, name);
  rmSync(path, { force: true });
  if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
  else if (name === 'pipe') execFileSync('mkfifo', ['-m', '600', path]);
  else if (name === 'zero') symlinkSync('/dev/zero', path);
  else if (name === 'loop') symlinkSync('loop', path);
  return path;
}

const cases: [string, string | undefined][] = [
  ['pipe', undefined],
  ['zero', undefined],
  ['loop', undefined],
  ['absent', undefined],
  ['empty', ''],
  ['blank', ' \n \n'],
  ['large', 'sekret'.repeat(100_000)],
  ['zeros', '\0'.repeat(100)],
];

describe.each([
  ['an API key', readApiKey],
  ['a token', (path: string) => fileToken(path).token()],
])('%s', (_what, read) => {
  it.each(cases)('is not read from a file called "%s"', async (name, content) => {
    const path = made(name, content);
    // More looks than libuv has threads: were one to block, the fifth would never return.
    for (const look of await Promise.allSettled(Array.from({ length: 6 }, () => read(path)))) {
      if (look.status === 'fulfilled') throw new Error('expected a refusal');
      const { message } = look.reason instanceof Error ? look.reason : new Error('no error');
      expect(message).toContain(path);
      expect(message).not.toContain('sekret');
      expect(message.length).toBeLessThan(400);
    }
  });
});
