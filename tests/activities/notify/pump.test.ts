/** The pump with real receivers: HTTP servers, an SMTP server, files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { senderOf } from '../../../activities/notify/channels.ts';
import { Outbox } from '../../../activities/notify/outbox.ts';
import { Pump } from '../../../activities/notify/pump.ts';
import type { Notice } from '../../../domain/notices/notice.ts';
import type { ChannelsFile, ChannelSettings } from '../../../input/channels-file.ts';
import { type Answer, ok, type Receiver, receiver as openReceiver, secretFile as secretFileIn } from './receivers.ts';

const root = mkdtempSync(join(tmpdir(), 'critic-notify-'));
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(root, { recursive: true, force: true });
});

const secret = `whsec_${Buffer.from('a secret of thirty-two characters').toString('base64')}`;
const notice: Notice = {
  id: 'run-demo-1-ended',
  kind: 'failed',
  at: '2026-11-28T01:00:00.000Z',
  run: 'demo-1',
  title: 'run demo-1 has failed',
  text: 'out of <memory> & time',
  commands: ['npm run critic -- resume demo-1'],
};

/** The notice as of now, for a pump that goes by the real clock: news of last month is none for a new channel. */
function fresh(): Notice {
  return { ...notice, at: new Date().toISOString() };
}

async function receiver(answer: Answer): Promise<Receiver> {
  const made = await openReceiver(answer);
  closers.push(made.close);
  return made;
}

function secretFile(name: string, content: string): string {
  return secretFileIn(root, name, content);
}

const warnings: string[] = [];
function pumpOf(channels: Record<string, ChannelSettings>, times = {}) {
  warnings.length = 0;
  const outbox = new Outbox(root);
  const file: ChannelsFile = { channels, default: Object.keys(channels) };
  const log = { warn: (message: string, details = {}) => void warnings.push(`${message} ${JSON.stringify(details)}`) };
  const pump = new Pump(outbox, file, log, times);
  const pass = (name: string, at = '2026-11-28T01:00:10.000Z') => {
    const settings = channels[name];
    if (settings === undefined) throw new Error(name);
    return pump.pass(name, senderOf(settings), new Date(at), new AbortController().signal);
  };
  return { outbox, pump, pass };
}

describe('a notice', () => {
  it('is kept once, however often and by however many it is told', async () => {
    const outbox = new Outbox(root);
    const told = await Promise.all(Array.from({ length: 10 }, () => new Outbox(root).put(notice)));
    expect(told.filter((one) => one === 'put')).toHaveLength(1);
    expect(await outbox.ids()).toEqual([notice.id]);
    expect(readdirSync(outbox.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is of what happens from the first look on, also after a restart', async () => {
    const first = new Date('2026-11-28T01:00:00.000Z');
    expect(await new Outbox(root).begun(first)).toEqual(first);
    expect(await new Outbox(root).begun(new Date('2026-11-29T01:00:00.000Z'))).toEqual(first);
  });

  it('that a killed teller left half written is removed after a day', async () => {
    const outbox = new Outbox(root);
    await outbox.put(notice);
    for (const name of ['.x.tmp', 'n1@mail.json.y.tmp']) writeFileSync(join(outbox.folder, name), '{');
    await outbox.sweep(new Date());
    expect(readdirSync(outbox.folder)).toHaveLength(3);
    await outbox.sweep(new Date(Date.now() + 90_000_000));
    expect(readdirSync(outbox.folder)).toEqual([`${notice.id}.json`]);
  });

  it('whose id is a path is refused', async () => {
    await expect(new Outbox(root).put({ ...notice, id: '../x' })).rejects.toThrow('notice.id: expected 1 to 200');
  });

  it('goes to a Slack-compatible webhook once, with nothing in it that Slack would take for markup', async () => {
    const hook = await receiver(ok);
    const { outbox, pass } = pumpOf({ slack: { slack: { url_file: secretFile('url', hook.url) } } });
    await outbox.put(notice);
    expect(await pass('slack')).toBe(1);
    expect(await pass('slack')).toBe(0);
    expect(hook.seen.map(({ body }) => JSON.parse(body))).toEqual([
      { text: '*run demo-1 has failed*\nout of &lt;memory&gt; &amp; time\n`npm run critic -- resume demo-1`' },
    ]);
  });

  it('is signed as Standard Webhooks say', async () => {
    const hook = await receiver(ok);
    const { outbox, pass } = pumpOf({ hook: { webhook: { url: hook.url, secret_file: secretFile('s', secret) } } });
    await outbox.put(notice);
    expect(await pass('hook')).toBe(1);
    const [{ headers, body } = { headers: {}, body: '' }] = hook.seen;
    const signed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    expect(new Webhook(secret).verify(body, signed)).toMatchObject({ type: 'critic.failed', data: { id: notice.id } });
    expect(() => new Webhook(secret).verify(`${body} `, signed)).toThrow('No matching signature');
  });

  it('goes only where its kind and its names send it', async () => {
    const path = join(root, 'lines.jsonl');
    const { outbox, pass } = pumpOf({
      quiet: { file: { path }, only: ['waiting'] },
      other: { file: { path: `${path}2` } },
    });
    await outbox.put(notice);
    await outbox.put({ ...notice, id: 'n2', kind: 'waiting', to: ['quiet', 'nobody'] });
    await outbox.put({ ...notice, id: 'n3', kind: 'waiting', to: ['nobody'] });
    expect(await pass('quiet')).toBe(2);
    expect(readFileSync(path, 'utf8').match(/"id":"[^"]+"/g)).toEqual(['"id":"n2"', '"id":"n3"']);
    expect(await pass('other')).toBe(2);
  });
});

describe('a receiver', () => {
  it('that is down for a day gets the notice when it is back; pauses double up to an hour', async () => {
    let isUp = false;
    const hook = await receiver((_request, response) => void response.writeHead(isUp ? 204 : 503).end());
    const { outbox, pass } = pumpOf({ slack: { slack: { url_file: secretFile('url', hook.url) } } });
    await outbox.put(notice);
    const begun = new Date('2026-11-28T01:00:00.000Z').getTime();
    for (let second = 0; second < 86_400; second += 60)
      await pass('slack', new Date(begun + second * 1000).toISOString());
    expect(hook.seen.length).toBeGreaterThan(24);
    expect(hook.seen.length).toBeLessThan(40);
    isUp = true;
    await pass('slack', new Date(begun + 90_000_000).toISOString());
    expect(await outbox.delivery(notice.id, 'slack')).toMatchObject({ state: 'sent' });
  });

  it('that never answers is left after the time of one try, and its URL is in no log and no outbox', async () => {
    const hook = await receiver(() => undefined);
    const { outbox, pass } = pumpOf(
      { slack: { slack: { url_file: secretFile('url', `${hook.url}?token=hush`) } } },
      { tryMs: 200 },
    );
    await outbox.put(notice);
    expect(await pass('slack')).toBe(0);
    const kept = readdirSync(outbox.folder).map((name) => readFileSync(join(outbox.folder, name), 'utf8'));
    expect(await outbox.delivery(notice.id, 'slack')).toMatchObject({ state: 'pending', tries: 1 });
    expect([...warnings, ...kept].join('\n')).not.toContain('hush');
  });

  it('that answers with garbage, a redirect or without end has it or has it not by its status alone', async () => {
    const answers: [Answer, string][] = [
      [(_request, response) => void response.writeHead(200).end('\0'.repeat(1e6)), 'sent'],
      [(_request, response) => void response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end(), 'pending'],
      [(request) => void request.socket.write('nonsense\r\n\r\n'), 'pending'],
      [(request) => void request.socket.destroy(), 'pending'],
      [(_request, response) => void response.writeHead(200).write('and so on'), 'sent'],
    ];
    for (const [index, [answer, state]] of answers.entries()) {
      const hook = await receiver(answer);
      const { outbox, pass } = pumpOf(
        { slack: { slack: { url_file: secretFile(`url${index}`, hook.url) } } },
        { tryMs: 2000 },
      );
      await outbox.put({ ...notice, id: `n${index}` });
      await pass('slack');
      expect(await outbox.delivery(`n${index}`, 'slack')).toMatchObject({ state });
    }
  });

  it('that has failed for a week is given up, which the outbox says', async () => {
    const hook = await receiver((_request, response) => void response.writeHead(500).end());
    const { outbox, pass } = pumpOf({ slack: { slack: { url_file: secretFile('url', hook.url) } } });
    await outbox.put(notice);
    await pass('slack', '2026-11-28T01:00:00.000Z');
    await pass('slack', '2026-12-05T01:00:01.000Z');
    await pass('slack', '2026-12-06T01:00:01.000Z');
    expect(hook.seen).toHaveLength(2);
    expect(await outbox.delivery(notice.id, 'slack')).toMatchObject({
      state: 'given-up',
      error: 'the receiver answered 500',
    });
  });
});

describe('a pump', () => {
  it('that was killed between POST and record sends again under the same id', async () => {
    const hook = await receiver(ok);
    const { outbox, pass } = pumpOf({ slack: { slack: { url_file: secretFile('url', hook.url) } } });
    await outbox.put(notice);
    await outbox.mark(notice.id, 'slack', { state: 'sending', tries: 1, since: notice.at });
    expect(await pass('slack')).toBe(1);
    expect(hook.seen[0]?.headers['idempotency-key']).toBe(notice.id);
  });

  it('does not let one receiver hold up another', async () => {
    const slow = await receiver(() => undefined);
    const path = join(root, 'lines.jsonl');
    const { outbox, pump } = pumpOf(
      { slow: { slack: { url_file: secretFile('url', slow.url) } }, file: { file: { path } } },
      { tryMs: 5000, lookMs: 20 },
    );
    await outbox.put(fresh());
    const stop = new AbortController();
    const running = pump.run(stop.signal, async () => undefined);
    const begun = Date.now();
    while ((await outbox.delivery(notice.id, 'file'))?.state !== 'sent')
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(Date.now() - begun).toBeLessThan(4000);
    stop.abort();
    await running;
  });

  it('whose lease another worker has taken sends nothing', async () => {
    const hook = await receiver(ok);
    const { outbox, pump } = pumpOf({ slack: { slack: { url_file: secretFile('url', hook.url) } } });
    await outbox.put(fresh());
    const lost = async () => {
      throw new Error('taken over');
    };
    await expect(pump.run(new AbortController().signal, lost)).rejects.toThrow('taken over');
    expect(hook.seen).toEqual([]);
  });

  it('without a secret’s file, or with one that others can read, says which and tries again', async () => {
    const { outbox, pass } = pumpOf({ slack: { slack: { url_file: join(root, 'none') } } });
    await outbox.put(notice);
    await pass('slack');
    expect(await outbox.delivery(notice.id, 'slack')).toMatchObject({
      state: 'pending',
      error: expect.stringContaining('URL file'),
    });
  });

  it('takes a test to its own channel and to no other, also if there is none of that name', async () => {
    const path = join(root, 'lines.jsonl');
    const { outbox, pass } = pumpOf({ a: { file: { path }, only: ['stuck'] }, b: { file: { path } } });
    await outbox.put({ ...notice, id: 'to-a', kind: 'test', to: ['a'] });
    await outbox.put({ ...notice, id: 'to-nobody', kind: 'test', to: ['nobody'] });
    expect([await pass('a'), await pass('b')]).toEqual([1, 0]);
  });

  it('does not flood a channel that is new with old news', async () => {
    const { outbox, pass } = pumpOf({ file: { file: { path: join(root, 'lines.jsonl') } } });
    await outbox.put({ ...notice, id: 'old', at: '2026-11-26T01:00:00.000Z' });
    await outbox.put({ ...notice, id: 'of-last-night', at: '2026-11-27T23:00:00.000Z' });
    expect(await pass('file')).toBe(1);
    // But one that was there all the time gets what happened while no worker was.
    await outbox.put({ ...notice, id: 'late', at: '2026-11-28T02:00:00.000Z' });
    expect(await pass('file', '2026-12-02T01:00:00.000Z')).toBe(1);
  });

  it('holds up a damaged notice alone, and sends it when it is mended', async () => {
    const { outbox, pass } = pumpOf({ file: { file: { path: join(root, 'lines.jsonl') } } });
    await outbox.put(notice);
    await outbox.put({ ...notice, id: 'n2' });
    const whole = readFileSync(join(outbox.folder, 'n2.json'), 'utf8');
    writeFileSync(join(outbox.folder, 'n2.json'), whole.slice(0, 40));
    expect([await pass('file'), await pass('file')]).toEqual([1, 0]);
    expect(warnings.filter((line) => line.includes('n2'))).toHaveLength(1);
    writeFileSync(join(outbox.folder, 'n2.json'), whole);
    expect(await pass('file')).toBe(1);
  });

  it('sends nothing that a full disk would not let it record, and again what it could not record', async () => {
    const hook = await receiver(ok);
    const { outbox } = pumpOf({});
    await outbox.put(notice);
    let room = 0;
    class Full extends Outbox {
      override async mark(...all: Parameters<Outbox['mark']>): Promise<void> {
        room -= 1;
        if (room < 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        return super.mark(...all);
      }
    }
    const slack = { slack: { url_file: secretFile('url', hook.url) } };
    const log = { warn: (message: string) => void warnings.push(message) };
    const pump = new Pump(new Full(root), { channels: { slack }, default: ['slack'] }, log);
    const pass = () => pump.pass('slack', senderOf(slack), new Date(notice.at), new AbortController().signal);
    for (let look = 0; look < 5; look += 1) expect(await pass()).toBe(0);
    expect([hook.seen.length, warnings.includes('the outbox takes nothing')]).toEqual([0, true]);
    room = 1; // enough to begin, not to record
    expect(await pass()).toBe(0);
    room = 9;
    expect(await pass()).toBe(1);
    expect(hook.seen.map(({ headers }) => headers['idempotency-key'])).toEqual([notice.id, notice.id]);
  });
});
