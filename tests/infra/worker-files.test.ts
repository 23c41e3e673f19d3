/** Files of the local worker: checked before anything is stopped, and kept from one `local up` to the next. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { start, stop } from '../../infra/local/processes.ts';
import { up } from '../../infra/local/stack.ts';
import { folders, localEnvironment, stackConfig } from '../../infra/local/stack-config.ts';
import { withWorkerFiles } from '../../infra/local/worker-files.ts';

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'worker-files-'));
  mkdirSync(join(state, 'local/pids'), { recursive: true });
});
const configOf = (env: NodeJS.ProcessEnv = {}) =>
  stackConfig({ CRITIC_STATE: state, CRITIC_PORT_BASE: '15000', ...env });
const written = (name: string, text: string): string => {
  writeFileSync(join(state, name), text);
  return join(state, name);
};
const channels = 'channels: { log: { file: { path: /tmp/notices.jsonl } } }\n';

it('one shell names a file, and it holds for the next one until it is set to nothing', async () => {
  const file = written('channels.yaml', channels);
  const said: string[] = [];
  const holding = async (env: NodeJS.ProcessEnv = {}) =>
    localEnvironment(await withWorkerFiles(configOf(env), (line) => said.push(line)))['CRITIC_CHANNELS_FILE'];
  expect(await holding()).toBeUndefined();
  expect(await holding({ CRITIC_CHANNELS_FILE: file })).toBe(file);
  expect(said).toEqual([]);
  expect(await holding()).toBe(file);
  expect(said).toEqual([`worker: CRITIC_CHANNELS_FILE stays "${file}"; set to nothing, it is dropped`]);
  expect(await holding({ CRITIC_CHANNELS_FILE: '' })).toBeUndefined();
  expect(await holding()).toBeUndefined();
});

it.each([
  ['CRITIC_CHANNELS_FILE', 'channels: { log: { fax: 1 } }\n', /^channels file ".*": .*\n.*fax/],
  ['CRITIC_LIMITS_FILE', 'limits: [{ kind: grpo, at_most: 0 }]\n', /^limits file ".*": .*\n.*at_most/],
  ['CRITIC_ENVIRONMENTS_FILE', 'environments: { nobody: {} }\n', /^CRITIC_ENVIRONMENTS_FILE .* is not usable/],
])('local up with a faulty %s says so and leaves the worker that runs', async (variable, text, sentence) => {
  const config = configOf({ [variable]: written('faulty.yaml', text) });
  const record = join(folders(config).pids, 'worker.json');
  const { pid } = start(record, {
    argv: ['/bin/sh', '-c', 'exec sleep 60'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: state,
    log: join(state, 'worker.log'),
    fingerprint: 'the good one',
  });
  try {
    await expect(up(config, () => undefined)).rejects.toThrow(sentence);
    expect(() => process.kill(pid, 0)).not.toThrow();
    expect(() => readFileSync(join(state, 'local/worker-files.json'))).toThrow('ENOENT');
  } finally {
    await stop(record);
  }
});

it('a record that is torn counts as none', async () => {
  written('local/worker-files.json', '{"channelsFile": "/x');
  expect(await withWorkerFiles(configOf(), () => undefined)).toEqual(configOf());
});
