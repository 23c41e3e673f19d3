import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readChannels } from '../../input/channels-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-channels-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(text: string) {
  const path = join(folder, 'channels.yaml');
  writeFileSync(path, text);
  return readChannels(path);
}

describe('a channels file', () => {
  it('names channels, and those that are told by default', async () => {
    const file = await read(
      'default: [a]\nchannels: { a: { file: { path: /x } }, b: { smtp: { host: h, from: a@b.org, to: [c@d.org] }, only: [waiting] } }',
    );
    expect(file).toEqual({
      default: ['a'],
      channels: {
        a: { file: { path: '/x' } },
        b: { smtp: { host: 'h', port: 587, tls: false, from: 'a@b.org', to: ['c@d.org'] }, only: ['waiting'] },
      },
    });
  });

  it.each([
    ['channels: { a: {} }', 'channels.a: expected exactly one of slack, webhook, smtp and file'],
    ['channels: { a: { file: { path: /x }, slack: { url_file: /y } } }', 'channels.a: expected exactly one of'],
    ['channels: { a: { file: { path: x } } }', 'channels.a.file.path: expected an absolute path, got "x"'],
    ['channels: { a: { slack: { url: "https://x" } } }', 'channels.a.slack.url: unknown key'],
    ['channels: { a: { file: { path: /x }, only: [never] } }', 'channels.a.only.0: '],
    [
      'channels: { a: { smtp: { host: h, from: a@b.org, to: [c@d.org], user: u } } }',
      'expected user and password_file together',
    ],
    ['channels: {}\ndefault: [a]', 'default.0: expected the name of a channel, got "a"'],
    ['channels: { A B: { file: { path: /x } } }', 'channels.A B'],
  ])('%s is refused', async (text, sentence) => {
    await expect(read(text)).rejects.toThrow(sentence);
  });
});
