/** The command as a whole: where Temporal is found, what a person is told when something is missing, exit codes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { afterAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../cli/cli-error.ts';
import type { CliConfig } from '../../cli/config.ts';
import { localRecord, servicesView } from '../../cli/commands/local.ts';
import { connect } from '../../cli/connection.ts';
import { critic, fakeServer } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-program-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('where Temporal is', () => {
  const record = join(folder, 'env.json');
  /** The config with which the command connects, without an address in the environment. */
  const configOf = async (env: NodeJS.ProcessEnv, write?: () => void) => {
    rmSync(record, { force: true });
    write?.();
    let seen: CliConfig | undefined;
    const ended = await critic(['watch', 'r'], undefined, {
      env,
      localRecord: () => record,
      connect: async (config) => {
        seen = config;
        throw new Error('enough is known');
      },
    });
    return { seen, ...ended };
  };
  const local = { CRITIC_TEMPORAL_ADDRESS: '127.0.0.1:17233', CRITIC_TEMPORAL_UI: 'http://ui', CRITIC_STORE: '/s' };

  it('says the environment, and else the record of the local stack', async () => {
    const write = () => writeFileSync(record, JSON.stringify(local));
    const ours = await configOf({}, write);
    expect(ours.seen).toEqual({ address: '127.0.0.1:17233', namespace: 'default', ui: 'http://ui' });
    const theirs = await configOf({ CRITIC_TEMPORAL_ADDRESS: 'temporal:7233', CRITIC_TEMPORAL_NAMESPACE: 'n' }, write);
    expect(theirs.seen).toEqual({ address: 'temporal:7233', namespace: 'n', ui: undefined });
  });

  it('is asked for where neither says it', async () => {
    const { code, err } = await configOf({});
    expect(code).toBe(1);
    expect(err).toBe(
      'critic: CRITIC_TEMPORAL_ADDRESS: expected host:port of a Temporal server, got nothing (or start a local one with "critic local up")\n',
    );
  });

  it.each<[string, () => void, string]>([
    ['a pipe', () => execFileSync('mkfifo', [record]), 'got a named pipe'],
    ['half a file', () => writeFileSync(record, '{"CRITIC'), 'got Unterminated string in JSON'],
    ['a large file', () => writeFileSync(record, ' '.repeat(70_000)), 'got 70000 bytes'],
  ])('is not read from %s in the record’s place', async (_name, write, sentence) => {
    const { code, err, seen } = await configOf({}, write);
    expect({ code, seen }).toEqual({ code: 1, seen: undefined });
    expect(err).toContain(`the local stack's record "${record}": expected JSON as "critic local up" writes it, `);
    expect(err).toContain(sentence);
    rmSync(record);
  });

  it('is looked for below CRITIC_STATE', () => {
    expect(localRecord({ CRITIC_STATE: '/x' })).toBe('/x/local/env.json');
  });
});

describe('a server that does not answer', () => {
  it('is named, with what to do', async () => {
    const ended = await critic(['cancel', 'r'], undefined, {
      env: { CRITIC_TEMPORAL_ADDRESS: '127.0.0.1:1' },
      connect,
    });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toMatch(
      /^critic: CRITIC_TEMPORAL_ADDRESS: expected a Temporal server at "127\.0\.0\.1:1", got no answer .*\n$/,
    );
  });

  it.each<[string, Error, string]>([
    [
      'goes away meanwhile',
      new ServiceError('Failed to describe workflow', { cause: new Error('14 UNAVAILABLE: Connection dropped') }),
      'critic: Temporal gave no answer: Failed to describe workflow (14 UNAVAILABLE: Connection dropped)\n',
    ],
    [
      'does not have the namespace',
      new NamespaceNotFoundError('nights'),
      'critic: CRITIC_TEMPORAL_NAMESPACE: expected a namespace that the server has, got "nights"\n',
    ],
  ])('%s: one sentence', async (_name, error, sentence) => {
    const fail = () => {
      throw error;
    };
    const ended = await critic(['watch', 'r'], fakeServer({ r: { status: fail } }));
    expect(ended).toMatchObject({ code: 1, err: sentence });
  });
});

describe('the command line', () => {
  it('runs nothing when it is imported, and prints help with exit code 0', async () => {
    const { code, out } = await critic(['--help']);
    expect(code).toBe(0);
    for (const verb of ['run', 'plan', 'demo', 'watch', 'answer', 'cancel', 'local']) {
      expect(out).toMatch(new RegExp(`^  ${verb} `, 'm'));
    }
  });

  it.each([
    [['nope']],
    [['watch']],
    [['watch', '']],
    [['watch', 'x'.repeat(1001)]],
    [['run', 'r', '--seed', '1.5']],
    [[]],
  ])('exits with 1 for %j', async (argv) => {
    expect((await critic(argv)).code).toBe(1);
  });

  it.each([
    [['nope'], /^critic: unknown command 'nope'\n/],
    [['watch', 'r', '--nope'], /^critic: unknown option '--nope'\n$/],
    [['retry', 'r', 'b'], /^critic: stage: expected one of dataset, .*, got "b"\n$/],
    [['retry', 'r', 'sft', '--minutes', 'x'], /^critic: --minutes: expected a whole number, got "x"\n$/],
    [
      ['diff', 'r', 'r'],
      /^critic: run r: expected another run beside it, got the same one; "critic status" shows one\n$/,
    ],
  ])('says in its own words what is wrong with %j', async (argv, said) => {
    const { code, out, err } = await critic(argv, fakeServer({}));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(said);
  });

  it('has its exit codes and verbs in docs/OPERATIONS.md, and its verbs in the README', async () => {
    const text = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
    for (const code of Object.values(exitCodes)) expect(text).toMatch(new RegExp(`^\\| ${code} \\| `, 'm'));
    const { out } = await critic(['--help']);
    const verbs = [...out.matchAll(/^ {2}([a-z]+) .*/gm)]
      .map(([, verb = '']) => verb)
      .filter((verb) => verb !== 'help');
    const [, table = ''] = /^\| verb \|.*\n\|[ -|]*\n((?:\|.*\n)*)/m.exec(text) ?? [];
    const rows = [...table.matchAll(/^\| `([a-z]+)\b/gm)].map(([, verb = '']) => verb);
    expect([...new Set(rows)].toSorted()).toEqual(verbs.toSorted());
    expect(verbs.length).toBeGreaterThanOrEqual(11);
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const listed = [
      ...readme.matchAll(/^npm run critic -- ([a-z|]+)/gm),
      ...readme.matchAll(/[#;] ([a-z]+)(?: [A-Z]|:)/g),
    ];
    const named = new Set(listed.flatMap(([, some = '']) => some.split('|')));
    expect(verbs.filter((verb) => !named.has(verb))).toEqual([]);
  });
});

describe('local', () => {
  const env = { CRITIC_STATE: join(folder, 'state') };

  it('status: a line a service, or JSON', async () => {
    const { out } = await critic(['local', 'status'], undefined, { env });
    expect(out).toMatch(/^worker +stopped/m);
    const { out: json } = await critic(['local', 'status', '--json'], undefined, { env });
    expect(servicesView.schema.parse(JSON.parse(json))).toContainEqual({ name: 'worker', state: 'stopped' });
  });

  it('logs: says which services there are, and that one has no log yet', async () => {
    expect(await critic(['local', 'logs', 'nope'], undefined, { env })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^critic: service: expected one of munge, .*worker, pages, got "nope"\n$/),
    });
    const log = join(env.CRITIC_STATE, 'local/logs/worker.log');
    expect(await critic(['local', 'logs', 'worker'], undefined, { env })).toMatchObject({
      code: 1,
      err: `critic: worker has no log yet: "${log}" is not there; "critic local up" starts it\n`,
    });
    mkdirSync(join(env.CRITIC_STATE, 'local/logs'), { recursive: true });
    writeFileSync(log, '');
    expect((await critic(['local', 'logs', 'worker'], undefined, { env })).code).toBe(0);
  });
});
