/** What doctor says of accounts, of channels, and of the teacher's key, which is tried on a real HTTP server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { accountSentences, partitionSentences, timeLimit } from '../../../activities/inquiries/account-limits.ts';
import { checkChannels } from '../../../activities/inquiries/channels-health.ts';
import { answerNightCheck } from '../../../activities/inquiries/night-check.ts';
import { Outbox } from '../../../activities/notify/outbox.ts';
import { TeacherAccounts } from '../../../activities/teacher/accounts.ts';
import type { Night } from '../../../domain/nights/night.ts';
import type { ChannelsFile } from '../../../input/channels-file.ts';
import { rejection, temporaryFolder } from '../fixtures.ts';
import { aNight } from '../../domain/night-fixture.ts';

const none = { wallMinutes: undefined, running: undefined, submitted: undefined, perJob: [], together: [] };

describe('accounts', () => {
  it('have their limits and QOS in words, and QOS without limits say nothing', () => {
    const limits = { ...none, wallMinutes: 2880, running: 1, perJob: [{ tres: 'gres/gpu', count: 8 }] };
    const nlp = { account: 'nlp', cluster: 'c', user: 'u', isDefault: true, qos: ['normal', 'long'] };
    const said = accountSentences(
      'u',
      [{ ...nlp, partition: 'a100', limits }],
      [
        { name: 'normal', limits: none },
        { name: 'long', limits: { ...none, wallMinutes: 10_080 } },
        { name: 'others', limits: { ...none, running: 9 } },
      ],
    );
    expect(said.map(({ sentence }) => sentence)).toEqual([
      'nlp on a100 (default): a job takes at most 2 days, a job has at most gres/gpu=8, at most 1 job running; QOS normal, long',
      'QOS long: a job takes at most 7 days',
    ]);
    expect(accountSentences('u', [], [])).toMatchObject([
      { state: 'note', sentence: expect.stringContaining('user u') },
    ]);
  });

  it.each([
    [90, '90 min'],
    [180, '3 h'],
    [2880, '2 days'],
    [2940, '2 days 1 h'],
  ])('%d minutes are %s', (minutes, words) => expect(timeLimit(minutes)).toBe(words));

  it('a partition that is down is a problem', () => {
    const one = { name: 'a100', nodes: [], totalCpus: 2, totalNodes: 1, maxTimeMinutes: 60 };
    expect(partitionSentences([{ ...one, state: 'UP' }])).toEqual([
      { state: 'good', sentence: 'a100: up, 1 node, a job takes at most 60 min' },
    ]);
    expect(partitionSentences([{ ...one, state: 'DOWN' }])[0]).toMatchObject({ state: 'problem' });
  });
});

describe('the teacher’s key', () => {
  /** A server that knows this key; `status` for whoever has it. */
  async function tried(status: number, body: unknown = { data: [{ id: 'gpt-4o' }] }, key = 'sk-right') {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const knows = request.headers.authorization === 'Bearer sk-right';
      response.writeHead(knows ? status : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(knows ? body : { error: { message: `Incorrect API key: ${key}` } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { port } = server.address() as AddressInfo;
    const path = join(await temporaryFolder(), 'key');
    await writeFile(path, key, { mode: 0o600 });
    const accounts = new TeacherAccounts({ baseUrl: `http://127.0.0.1:${port}/v1`, apiKeyFile: path });
    const { client } = await accounts.open();
    return { asked, models: client.models(AbortSignal.timeout(5000)) };
  }

  it('is tried by the list of models alone, which is free', async () => {
    const { asked, models } = await tried(200);
    expect(await models).toEqual(['gpt-4o']);
    expect(asked).toEqual(['GET /v1/models']);
  });

  it('that is wrong is said, without the key', async () => {
    const { models } = await tried(200, {}, 'sk-wrong-and-secret');
    const error = await rejection(models);
    expect(error).toMatchObject({ type: 'TeacherDenied', message: expect.stringContaining('does not accept the key') });
    expect(String(error)).not.toContain('sk-wrong');
  });

  it('is not tried where there is no such list; a server that fails is told', async () => {
    expect(await (await tried(404)).models).toBeUndefined();
    expect(await rejection((await tried(503)).models)).toMatchObject({ type: 'TeacherUnavailable' });
    expect(await (await tried(200, { data: 'odd' })).models).toEqual([]);
  });
});

describe('channels', () => {
  it('none is a note; those that are there are named, and a secret that cannot be read is a problem', async () => {
    const root = await temporaryFolder();
    expect(await checkChannels(root, undefined)).toMatchObject([{ state: 'note' }]);
    const secret = join(root, 'url');
    const file: ChannelsFile = {
      default: ['log'],
      channels: { log: { file: { path: join(root, 'n.jsonl') } }, oncall: { slack: { url_file: secret } } },
    };
    const [summary, fault] = await checkChannels(root, file);
    expect(summary).toMatchObject({ state: 'good', sentence: expect.stringMatching(/^log \(default\), oncall;/) });
    expect(fault).toMatchObject({ state: 'problem', sentence: expect.stringMatching(/^oncall: .*0600, found none$/) });
    await writeFile(secret, 'https://hooks.example/secret', { mode: 0o600 });
    expect(await checkChannels(root, file)).toHaveLength(1);
  });

  it('a notice that was given up is a problem', async () => {
    const root = await temporaryFolder();
    const outbox = new Outbox(root);
    const at = new Date().toISOString();
    await outbox.put({ id: 'run-a-ended', kind: 'failed', at, title: 't', text: 'x', commands: [] });
    await outbox.mark('run-a-ended', 'log', { state: 'given-up', tries: 9, since: at });
    const file: ChannelsFile = { default: ['log'], channels: { log: { file: { path: join(root, 'n.jsonl') } } } };
    expect((await checkChannels(root, file)).at(-1)).toMatchObject({ state: 'problem' });
  });
});

describe('a night that is to be scheduled', () => {
  const faultsOf = async (given: Night, channels: ChannelsFile = { channels: {}, default: [] }) =>
    (await answerNightCheck({ channels }).answer({ night: given })).faults;

  it('has a folder, a recipe with dataset and model, and channels that are there', async () => {
    const folder = await temporaryFolder();
    expect(await faultsOf(aNight({ source: '/nowhere' }))).toEqual([
      'source: expected an existing folder, as the worker sees it, got "/nowhere"',
    ]);
    expect(await faultsOf(aNight({ source: folder }))).toEqual([
      expect.stringMatching(/^recipe ".*r\.yaml": expected a readable/),
    ]);
    const recipes = join(import.meta.dirname, '../../../recipes');
    const copy = `dataset: ${folder}/none\n`;
    await mkdir(join(folder, 'x'));
    await writeFile(join(folder, 'r.yaml'), copy);
    expect((await faultsOf(aNight({ source: folder })))[0]).toMatch(/^recipe ".*": \d+ faults/);
    const channels: ChannelsFile = { default: [], channels: { mail: { file: { path: '/x' } } } };
    const demo = aNight({ source: recipes, recipe: 'smoke.yaml', tell: ['mail', 'people'] });
    expect((await faultsOf(demo, channels)).filter((fault) => fault.startsWith('tell'))).toEqual([
      'tell.1: expected one of mail (CRITIC_CHANNELS_FILE), got "people"',
    ]);
    expect((await faultsOf(demo)).at(-1)).toContain('expected none, since the worker has no channels');
  });
});
