/** Mail with a real SMTP server, and servers that are none. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { senderOf } from '../../../activities/notify/channels.ts';
import { Outbox } from '../../../activities/notify/outbox.ts';
import { Pump } from '../../../activities/notify/pump.ts';
import type { Notice } from '../../../domain/notices/notice.ts';
import { listening, secretFile } from './receivers.ts';

const password = 'hush-hush-hush';
const notice: Notice = {
  id: 'run-demo-1-ended',
  kind: 'failed',
  at: '2026-11-28T01:00:00.000Z',
  title: 'run demo-1 has failed\r\nBcc: everybody@example.org',
  text: 'line one\n.\nline three ü',
  commands: ['npm run critic -- resume demo-1'],
};
let root = '';
const closers: (() => void)[] = [];
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'critic-mail-'))));
afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(root, { recursive: true, force: true });
});

interface Mail {
  text: string;
  to: string[];
  secure: boolean;
}

async function smtpServer(options: SMTPServerOptions): Promise<{ port: number; mails: Mail[] }> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    logger: false,
    onData(stream, { envelope, secure }, done) {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => {
        mails.push({ text, to: envelope.rcptTo.map(({ address }) => address), secure });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined); // a client that goes in the middle is what some tests want
  closers.push(() => server.close());
  return { port: await listening(server.server), mails };
}

/** One look of a pump with one mail channel: what became of it, and all that was kept or logged. */
async function mailed(port: number, { host = '127.0.0.1', tls = false, login = true, tryMs = 5_000 } = {}) {
  const auth = login ? { user: 'critic', password_file: secretFile(root, 'password', `${password}\n`) } : {};
  const smtp = { host, port, tls, from: 'critic@example.org', to: ['ml@example.org'], ...auth };
  const outbox = new Outbox(root);
  const logged: unknown[] = [];
  const log = { warn: (...all: unknown[]) => void logged.push(...all) };
  const pump = new Pump(outbox, { channels: { mail: { smtp } }, default: ['mail'] }, log, { tryMs });
  await outbox.put(notice);
  await pump.pass('mail', senderOf({ smtp }), new Date('2026-11-28T01:00:10.000Z'), new AbortController().signal);
  const files = readdirSync(outbox.folder).map((name) => readFileSync(join(outbox.folder, name), 'utf8'));
  return {
    delivery: await outbox.delivery(notice.id, 'mail'),
    kept: `${JSON.stringify(logged)}\n${files.join('\n')}`,
  };
}

/** A server that says `lines` when it is connected to, and answers each line of the client by `reply`. */
async function fakeServer(
  greeting: string,
  reply: (line: string) => string,
  { host, onClose = () => undefined }: { host?: string; onClose?: () => void } = {},
): Promise<number> {
  const server = createServer((socket) => {
    socket.on('close', onClose);
    socket.on('error', () => undefined); // the client has gone
    socket.write(greeting);
    socket.on('data', (chunk) => void socket.write(reply(chunk.toString())));
    closers.push(() => socket.destroy());
  });
  closers.push(() => server.close());
  return listening(server, host);
}

describe('mail', () => {
  it('logs in and is whole; a title with lines of its own makes no header', async () => {
    const { port, mails } = await smtpServer({
      allowInsecureAuth: true,
      disabledCommands: ['STARTTLS'],
      onAuth: ({ username, password: said }, _session, done) =>
        said === password ? done(null, { user: username }) : done(new Error('no')),
    });
    expect(await mailed(port)).toMatchObject({ delivery: { state: 'sent', tries: 1 } });
    expect(mails).toMatchObject([{ to: ['ml@example.org'] }]);
    expect(mails[0]?.text).toContain('Subject: run demo-1 has failed Bcc: everybody@example.org');
    expect(mails[0]?.text).toMatch(/line one\r\n\.\r\nline three =C3=BC/);
    expect(mails[0]?.text).toContain('Message-ID: <run-demo-1-ended@critic>');
  });

  it('whose login is refused says so, and the password is nowhere, not even as the server quotes it', async () => {
    const port = await fakeServer('220 fake\r\n', (line) => {
      if (line.startsWith('EHLO')) return '250-fake\r\n250 AUTH PLAIN LOGIN\r\n';
      return `535 5.7.8 what is "${line.trim()}" and ${password}?\r\n`;
    });
    const { delivery, kept } = await mailed(port);
    expect(delivery).toMatchObject({
      state: 'pending',
      error: 'the server has not accepted user and password 535',
    });
    const forms = [
      password,
      Buffer.from(`\0critic\0${password}`).toString('base64'),
      Buffer.from(password).toString('base64'),
    ];
    for (const form of forms) expect(kept).not.toContain(form);
  });

  it('gives its password to no other machine without TLS, even if that offers none', async () => {
    const said: string[] = [];
    const reply = (line: string) => {
      said.push(line);
      return line.startsWith('EHLO') ? '250-fake\r\n250 AUTH PLAIN LOGIN\r\n' : '500 no\r\n';
    };
    // Another address of this machine stands for another machine.
    const port = await fakeServer('220 fake\r\n', reply, { host: '127.0.0.2' });
    const { delivery } = await mailed(port, { host: '127.0.0.2' });
    expect(delivery).toMatchObject({ state: 'pending', error: expect.stringMatching(/STARTTLS|TLS/) });
    expect(said.filter((line) => line.startsWith('AUTH'))).toEqual([]);
  });

  it('goes to no server whose certificate nobody vouches for', async () => {
    const { port, mails } = await smtpServer({ secure: true, authOptional: true });
    expect(await mailed(port, { tls: true })).toMatchObject({
      delivery: { state: 'pending', error: expect.stringContaining('certificate') },
    });
    expect(mails).toEqual([]);
  });

  it.each<[string, string, (line: string) => string]>([
    ['says nothing', '', () => ''],
    ['is a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n', () => 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['never comes to an end', '220 fake\r\n', () => '250-and\r\n250-so\r\n250-on\r\n'],
    ['takes the mail and does not say so', '220 fake\r\n', (line) => (line.startsWith('EHLO') ? '250 fake\r\n' : '')],
  ])('to a server that %s is left in time, and nothing of it goes on', async (_what, greeting, reply) => {
    const left = Promise.withResolvers<void>();
    const port = await fakeServer(greeting, reply, { onClose: left.resolve });
    const begun = Date.now();
    const { delivery } = await mailed(port, { login: false, tryMs: 500 });
    expect(delivery).toMatchObject({ state: 'pending', tries: 1, error: expect.stringMatching(/./) });
    await left.promise;
    expect(Date.now() - begun).toBeLessThan(4_000);
  });
});
