/**
 * Channels: how one notice is brought to one receiver. A channel that returns has delivered it; else it throws a sentence without any secret. The secret is read
 * anew for each delivery, so a file that was replaced holds at once. What a receiver answers is not read beyond its status: it may be garbage.
 *
 * Each delivery carries the notice's id (`webhook-id`, `Idempotency-Key`, `Message-ID`), so a receiver can drop what it has.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import { Webhook } from 'standardwebhooks';
import { fetch } from 'undici';
import * as z from 'zod';
import type { Notice } from '../../domain/notices/notice.ts';
import { plainText, slackText } from '../../domain/notices/notice-text.ts';
import type { ChannelSettings } from '../../input/channels-file.ts';
import { readSecret, withoutKey } from '../teacher/api-key.ts';

export type Send = (notice: Notice, signal: AbortSignal) => Promise<void>;

/** How notices go by a channel. Nothing is opened before the first one. */
export function senderOf({ slack, webhook, smtp, file }: ChannelSettings): Send {
  if (slack !== undefined) return (notice, signal) => toSlack(slack.url_file, notice, signal);
  if (webhook !== undefined) return (notice, signal) => toWebhook(webhook, notice, signal);
  if (smtp !== undefined) return (notice, signal) => toMail(smtp, notice, signal);
  if (file !== undefined) return (notice) => toFile(file.path, notice);
  throw new Error('a channel without a way was read');
}

async function toSlack(urlFile: string, notice: Notice, signal: AbortSignal): Promise<void> {
  const url = await readSecret(urlFile, 'URL file');
  const body = JSON.stringify({ text: slackText(notice) });
  await guarded(url, () => post(url, body, { 'Idempotency-Key': notice.id }, signal));
}

async function toWebhook(
  { url, secret_file: secretFile }: NonNullable<ChannelSettings['webhook']>,
  notice: Notice,
  signal: AbortSignal,
): Promise<void> {
  const secret = await readSecret(secretFile, 'secret file');
  const { to: _, ...told } = notice;
  const body = JSON.stringify({
    type: `critic.${notice.kind}`,
    timestamp: notice.at,
    data: { ...told, plain: plainText(notice) },
  });
  if (!/^(?:whsec_)?[A-Za-z0-9+/]{32,}={0,2}$/.test(secret)) {
    throw new Error(`secret file "${secretFile}": expected whsec_ and at least 24 bytes in base64`);
  }
  const now = new Date();
  await guarded(secret, async () => {
    const signature = new Webhook(secret).sign(notice.id, now, body);
    const headers = {
      'webhook-id': notice.id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': signature,
      'Idempotency-Key': notice.id,
    };
    return post(url, body, headers, signal);
  });
}

async function post(url: string, body: string, headers: Record<string, string>, signal: AbortSignal): Promise<void> {
  // A redirect would carry the notice to whom nobody has named.
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', ...headers },
    redirect: 'manual',
    signal,
  });
  const { status } = response;
  await response.body?.cancel().catch(() => undefined); // whatever it says, nobody reads it
  if (status < 200 || status > 299) throw new Error(`the receiver answered ${status}`);
}

async function toMail(smtp: NonNullable<ChannelSettings['smtp']>, notice: Notice, signal: AbortSignal): Promise<void> {
  const { host, port, tls, from, to, user, password_file: passwordFile } = smtp;
  const password = passwordFile === undefined ? undefined : await readSecret(passwordFile, 'password file');
  const auth = user === undefined || password === undefined ? {} : { auth: { user, pass: password } };
  const timeouts = { connectionTimeout: 15_000, greetingTimeout: 15_000, socketTimeout: 20_000 };
  // Ours, so that it can be ended while a server dribbles: to close the transport ends nothing that is under way.
  const socket = new Socket();
  // A password goes over TLS alone, whatever the server offers, except to this machine.
  const requireTLS = password !== undefined && !['localhost', '127.0.0.1', '::1'].includes(host);
  const transport = createTransport({ host, port, secure: tls, requireTLS, socket, ...auth, ...timeouts });
  const stop = () => void socket.destroy(new Error('it was told to stop'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await guarded(password ?? '', () =>
      transport
        .sendMail({
          from,
          to,
          subject: notice.title,
          text: plainText(notice),
          date: new Date(notice.at),
          messageId: `<${notice.id}@critic>`,
        })
        .catch(withoutLogin),
    );
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

const smtpFault = z.object({ code: z.literal('EAUTH'), responseCode: z.number().optional() });

/** A server that refuses a login may quote what it was sent, in base64. Its number says enough. */
function withoutLogin(error: unknown): never {
  const { data: refused } = smtpFault.safeParse(error);
  if (refused === undefined) throw error;
  throw new Error(`the server has not accepted user and password ${refused.responseCode ?? ''}`.trimEnd());
}

/** For reading too: the open of a pipe that nobody reads would wait for ever otherwise. */
const appending = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOCTTY;

async function toFile(path: string, notice: Notice): Promise<void> {
  const file = await open(path, appending, 0o640);
  try {
    const line = `${JSON.stringify(notice)}\n`;
    await file.writeFile((await endsInALine(file, path)) ? line : `\n${line}`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** False if a full disk or a crash has cut the last line: the next one must not be glued to it. */
async function endsInALine(file: FileHandle, path: string): Promise<boolean> {
  const about = await file.stat();
  if (!about.isFile()) throw new Error(`"${path}": expected a regular file`);
  if (about.size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, about.size - 1);
  return buffer.toString() === '\n';
}

/** Runs `work`. What it throws is said in one line, in which the secret is not. */
async function guarded(secret: string, work: () => Promise<unknown>): Promise<void> {
  const fault = await work().then(
    () => undefined,
    (error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      return `${error instanceof Error ? error.message : String(error)}${cause}`.replace(/\s+/g, ' ').slice(0, 300);
    },
  );
  // Not the error itself: it may hold the address or the password.
  if (fault !== undefined) throw new Error(secret === '' ? fault : withoutKey(fault, secret));
}
