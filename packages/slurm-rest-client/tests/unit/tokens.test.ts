import { chmod, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commandToken, fileToken, SlurmClient, staticToken, tokenTimes } from '../../src/index.ts';
import { failed, json, jwt, plain, withClient } from './scripted-server.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokens-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A command that counts its runs in a file and prints what `print` says, after 30 ms. */
async function script(print: string): Promise<string> {
  const path = join(folder, 'token-command');
  await writeFile(path, `#!/bin/sh\necho run >> ${folder}/runs\nsleep 0.03\n${print}\n`);
  await chmod(path, 0o755);
  return path;
}

async function runs(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  return (await readFile(join(folder, 'runs'), 'utf8')).split('\n').length - 1;
}

describe('a token from a command', () => {
  test('is fetched once for all who ask at the same time', async () => {
    const token = jwt(0, 4_000_000_000);
    const provider = commandToken([await script(`echo SLURM_JWT=${token}`)]);
    const tokens = await Promise.all([provider.token(), provider.token(), provider.token()]);
    expect(tokens).toEqual([token, token, token]);
    expect(await runs()).toBe(1);
  });

  test('is fetched again at half its life, not before', async () => {
    let seconds = 1000;
    const provider = commandToken([await script(`echo SLURM_JWT=${jwt(1000, 2000)}`)], { now: () => seconds * 1000 });
    await provider.token();
    seconds = 1499;
    await provider.token();
    expect(await runs()).toBe(1);
    seconds = 1501;
    await provider.token();
    expect(await runs()).toBe(2);
  });

  test('of a cluster whose clock is ahead is fetched again at half its life all the same', async () => {
    let seconds = 1000;
    const provider = commandToken([await script(`echo SLURM_JWT=${jwt(1600, 2600)}`)], { now: () => seconds * 1000 });
    await provider.token();
    seconds = 1499;
    await provider.token();
    expect(await runs()).toBe(1);
    seconds = 1501;
    await provider.token();
    expect(await runs()).toBe(2);
  });

  test('serves on when the command fails while it is still valid, and no longer', async () => {
    let seconds = 1000;
    const token = jwt(1000, 2000);
    const command = await script(`echo SLURM_JWT=${token}`);
    const provider = commandToken([command], { now: () => seconds * 1000 });
    await provider.token();
    await script('echo controller is down >&2; exit 1');
    seconds = 1600;
    expect(await provider.token()).toBe(token);
    seconds = 2001;
    await expect(provider.token()).rejects.toMatchObject({ kind: 'auth', delivery: 'not-delivered' });
    await expect(provider.token()).rejects.toThrow(/exit 1: controller is down/);
  });

  test('is fetched again after the server did not accept it', async () => {
    const provider = commandToken([await script(`echo ${jwt(0, 4_000_000_000)}`)]);
    await provider.token();
    provider.invalidate();
    await provider.token();
    expect(await runs()).toBe(2);
  });

  test('that fails does not put a token into its message', async () => {
    const provider = commandToken([await script(`echo "SLURM_JWT=${jwt(0, 1)}" >&2; exit 3`)]);
    await expect(provider.token()).rejects.toThrow(/exit 3: SLURM_JWT=\[token\]$/);
  });

  test('that takes too long is given up', async () => {
    const provider = commandToken([await script('sleep 5')], { timeoutMs: 100 });
    await expect(provider.token()).rejects.toThrow(/no answer in 100 ms/);
  });

  test('is run with the environment that was given', async () => {
    const provider = commandToken([await script('echo "$SRK_TOKEN"')], {
      env: { PATH: '/usr/bin:/bin', SRK_TOKEN: 'x1' },
    });
    expect(await provider.token()).toBe('x1');
  });

  test('that prints nothing is an error, not an empty token', async () => {
    await expect(commandToken([await script('true')]).token()).rejects.toMatchObject({ kind: 'auth' });
  });

  test('that does not exist is an error', async () => {
    await expect(commandToken([join(folder, 'absent')]).token()).rejects.toMatchObject({ kind: 'auth' });
  });
});

describe('a token from a file', () => {
  test('is read again when the file changes', async () => {
    const path = join(folder, 'token');
    await writeFile(path, 'SLURM_JWT=first\n');
    const provider = fileToken(path);
    expect(await provider.token()).toBe('first');
    await writeFile(path, 'second\n');
    await utimes(path, new Date(), new Date(Date.now() + 5000));
    expect(await provider.token()).toBe('second');
  });

  test('that is not there is an error that names the file', async () => {
    const path = join(folder, 'absent');
    await expect(fileToken(path).token()).rejects.toThrow(path);
  });
});

describe('a JWT', () => {
  test('tells when it was made and when it ends', () => {
    expect(tokenTimes(jwt(10, 20))).toEqual({ issuedAt: 10_000, expiresAt: 20_000 });
  });

  test.each(['', 'opaque', 'a.b.c', 'e30.e30.', 'x.bnVsbA.y'])('that is none (%j) tells nothing', (token) => {
    expect(tokenTimes(token)).toEqual({ issuedAt: undefined, expiresAt: undefined });
  });
});

describe('a token that was not accepted', () => {
  test('is replaced and the read repeated, once', async () => {
    let current = 'old';
    const token = { token: async () => current, invalidate: () => (current = 'new') };
    await withClient(
      (request, response) => {
        if (request.headers['x-slurm-user-token'] === 'new') json(response, 200, { jobs: [], errors: [] });
        else json(response, 511, failed(1007));
      },
      async (client, received) => {
        expect(await client.listJobs()).toEqual([]);
        expect(received).toHaveLength(2);
      },
      { auth: { userName: 'alice', token } },
    );
  });
});

test('a token is in no message, no inspection, and no cause', async () => {
  const token = jwt(1, 4_000_000_000);
  const auth = { userName: 'alice', token: staticToken(token) };
  const leaks: string[] = [];
  const keep = (error: unknown) => leaks.push(inspect(error, { depth: 10, showHidden: true }));
  const echo = { errors: [{ error_number: 2000, error: `header X-SLURM-USER-TOKEN: ${token}` }], warnings: [] };
  await withClient(
    (_, r) => json(r, 500, echo),
    async (client) => void keep(await client.listJobs().catch((e: unknown) => e)),
    { auth },
  );
  await withClient(
    (_, r) => plain(r, 502, `proxy dump ${token}`),
    async (client) => void keep(await client.listJobs().catch((e: unknown) => e)),
    { auth },
  );
  await withClient(
    (_, r) => r.destroy(),
    async (client) => void keep(await client.listJobs().catch((e: unknown) => e)),
    { auth },
  );
  await withClient(
    (_, r) => plain(r, 200, `{"token": "${token}`),
    async (client) => void keep(await client.listJobs().catch((e: unknown) => e)),
    { auth },
  );
  const client = new SlurmClient({ baseUrl: 'http://127.0.0.1:1', auth });
  keep(await client.connect().catch((error: unknown) => error));
  leaks.push(inspect(client, { depth: 10, showHidden: true }), inspect(auth.token, { depth: 10, showHidden: true }));
  await client.close();
  expect(leaks).toHaveLength(7);
  for (const leak of leaks) expect(leak).not.toContain(token.slice(0, 40));
});
