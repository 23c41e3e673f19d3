/** Accounts: which stages share a limiter, and when the key is read. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TeacherAccounts } from '../../../activities/teacher/accounts.ts';
import { rejection, temporaryFolder } from '../fixtures.ts';

async function keyFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'key');
  await writeFile(path, 'first-key\n', { mode: 0o600 });
  return path;
}

it('two stages of a worker with one key at one address share a limiter, and no client', async () => {
  const accounts = new TeacherAccounts({ baseUrl: 'http://127.0.0.1:1/v1', apiKeyFile: await keyFile() });
  const [one, two] = [await accounts.open(), await accounts.open()];
  expect(one.limiter).toBe(two.limiter);
  expect(one.client).not.toBe(two.client);
});

it('another key has another limiter, and the first one its own again', async () => {
  const apiKeyFile = await keyFile();
  const accounts = new TeacherAccounts({ baseUrl: 'http://127.0.0.1:1/v1', apiKeyFile });
  const { limiter } = await accounts.open();
  await writeFile(apiKeyFile, 'second-key\n');
  expect((await accounts.open()).limiter).not.toBe(limiter);
  await writeFile(apiKeyFile, 'first-key\n');
  expect((await accounts.open()).limiter).toBe(limiter);
});

it('the key is read when a stage begins to ask: without its file a worker starts, and the stage is refused', async () => {
  const apiKeyFile = await keyFile();
  await rm(apiKeyFile);
  const accounts = new TeacherAccounts({ baseUrl: undefined, apiKeyFile });
  expect(accounts.baseUrl).toBe('https://api.openai.com/v1');
  expect(await rejection(accounts.open())).toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
});
