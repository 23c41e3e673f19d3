/** The web server for pages: what it serves, and what it does not, asked over real sockets. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isServed, type PageServer, servePages } from '../../cli/page-server.ts';
import { critic } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-serve-'));
const store = join(folder, 'store');
let server: PageServer;

function write(path: string, content: string): void {
  const full = join(store, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
}

beforeAll(async () => {
  write('runs/r-1/report.html', '<h1>r-1</h1>');
  write('artifacts/evaluation/k/evaluation.json', '{}');
  write('artifacts/grpo/k/metrics.jsonl', '{"step":1}\n');
  write('runs/r-1/jobs/grpo/a1/job.log', 'secret');
  write('notices/n.json', 'secret');
  write('runs/.hidden/report.html', 'secret');
  writeFileSync(join(folder, 'outside.json'), 'secret');
  symlinkSync(join(folder, 'outside.json'), join(store, 'runs/r-1/link.json'));
  symlinkSync(folder, join(store, 'runs/r-2'));
  // What a job may plant: links of served names to what is in the store and not served.
  symlinkSync(join(store, 'notices/n.json'), join(store, 'artifacts/grpo/k/notice.json'));
  symlinkSync(join(store, 'runs/r-1/jobs/grpo/a1/job.log'), join(store, 'artifacts/grpo/k/log.txt'));
  mkdirSync(join(store, 'runs/r-1/folder.json'));
  server = await servePages(store, 0, ['pages.example']);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** One request as it is, byte for byte: `fetch` would make a path clean before it is sent. */
async function ask(path: string, method = 'GET', more: string[] = [], host = 'localhost'): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write([`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...more, '', ''].join('\r\n'));
  return text(socket);
}

const status = (reply: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(reply)?.[1]);

describe('pages', () => {
  it('are served as pages, and what they cite as text, under a policy that lets nothing be loaded', async () => {
    const page = await fetch(`${server.url}/runs/r-1/report.html`);
    expect(await page.text()).toBe('<h1>r-1</h1>');
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-content-type-options': 'nosniff',
    });
    const rows = await fetch(`${server.url}/artifacts/grpo/k/metrics.jsonl`);
    expect(rows.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await rows.text()).toBe('{"step":1}\n');
    expect((await fetch(`${server.url}/artifacts/evaluation/k/evaluation.json`)).status).toBe(200);
  });

  it('begin with the nights, which may not be there yet', async () => {
    const front = await fetch(server.url, { redirect: 'manual' });
    expect([front.status, front.headers.get('location')]).toEqual([302, '/nights.html']);
    expect(await (await fetch(server.url)).text()).toContain('"critic nights" writes this page');
    write('nights.html', '<h1>nights</h1>');
    expect(await (await fetch(server.url)).text()).toBe('<h1>nights</h1>');
  });

  it('are asked for anew, and not sent again if they are as they were', async () => {
    const first = await fetch(`${server.url}/runs/r-1/report.html`);
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const known = `If-None-Match: ${first.headers.get('etag') ?? ''}`;
    expect(status(await ask('/runs/r-1/report.html', 'GET', [known]))).toBe(304);
  });
});

describe('not served', () => {
  it.each([
    '/runs/r-1/../../../outside.json',
    '/runs/%2e%2e/%2e%2e/outside.json',
    '/runs/..%2f..%2foutside.json',
    '/../outside.json',
    '//etc/passwd.json',
    '/runs/r-1/link.json',
    '/artifacts/grpo/k/notice.json',
    '/artifacts/grpo/k/log.txt',
    '/runs/r-2/outside.json',
    '/runs/r-1/folder.json',
    '/runs/r-1/jobs/grpo/a1/job.log',
    '/notices/n.json',
    '/runs/.hidden/report.html',
    '/runs/r-1/report.html%00.json',
    '/runs/%zz/report.html',
    '/runs/r-1/',
    '/runs',
  ])('is %s', async (path) => {
    const reply = await ask(path);
    expect(status(reply)).toBe(404);
    expect(reply).not.toContain('secret');
  });

  it('is anything to a request that would write', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(status(await ask('/runs/r-1/report.html', method))).toBe(405);
    }
    expect(status(await ask('/runs/r-1/report.html', 'HEAD'))).toBe(200);
  });

  it('is anything to a page from elsewhere that made its own name point here', async () => {
    expect(status(await ask('/runs/r-1/report.html', 'GET', [], 'evil.example:80'))).toBe(421);
    expect(status(await ask('/runs/r-1/report.html', 'GET', [], 'pages.example:80'))).toBe(200);
  });

  it('is part of a file: a range is answered with all of it', async () => {
    expect(await ask('/runs/r-1/report.html', 'GET', ['Range: bytes=5-2'])).toContain('<h1>r-1</h1>');
  });

  it.each([
    ['/runs/r-1/jobs/grpo/a1/outcome.json', true],
    ['/runs/r-1/jobs/grpo/a1/key.json', false],
    ['/runs/r-1/jobs/grpo/a1/checkpoints/c/trainer_state.json', false],
    ['/experiments/mix/report.html', true],
    ['/models/k/config.json', false],
    ['/partial/synthesis/k/rows.jsonl', false],
    ['/artifacts/grpo/k/model.safetensors', false],
  ])('or served: %s is %s', (path, expected) => {
    expect(isServed(path)).toBe(expected);
  });
});

describe('critic serve', () => {
  it('says where it serves which store, and ends with SIGTERM', async () => {
    const args = ['cli/main.ts', 'serve', '--store', store, '--port', '0'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface(child.stdout), 'line');
    expect(line).toMatch(/^pages of .*store: http:\/\/127\.0\.0\.1:\d+\/nights\.html$/);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.each<[string[], string]>([
    [['--store', '/nowhere'], `--store: expected the store's folder on this machine, got "/nowhere" (ENOENT)`],
    [[], `--store: expected the store's folder on this machine, got nothing (CRITIC_STORE may name it)`],
  ])('says what is wrong with %j', async (args, sentence) => {
    const localRecord = () => join(folder, 'no-record');
    const { code, err } = await critic(['serve', ...args], undefined, { env: {}, localRecord });
    expect({ code, err }).toEqual({ code: 1, err: `critic: ${sentence}\n` });
  });

  it('says that its port is taken', async () => {
    const { port } = new URL(server.url);
    const { err } = await critic(['serve', '--store', store, '--port', port]);
    expect(err).toBe(`critic: --port: expected a port that is free on 127.0.0.1, got ${port} (EADDRINUSE)\n`);
  });
});
