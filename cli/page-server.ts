/**
 * A web server for pages and the files that they cite, below a store's root. It only reads, answers on loopback alone, and follows no path or link out of the store.
 * What is served is said by its path (`isServed`): reports, nights, experiments, and text files of artifacts and runs. No pictures, weights, logs or notices.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import send from 'send';
import { shown } from '../domain/errors.ts';
import { CliError } from './cli-error.ts';

const address = '127.0.0.1';
const loopback = ['localhost', '127.0.0.1', '[::1]'];
const front = '/nights.html';

const segment = '[A-Za-z0-9][A-Za-z0-9._-]*';
const file = `${segment}\\.(?:html|json|jsonl|csv|txt)`;
const rooms = 'artifacts|champions|evaluations|experiments|nights|runs|scores';
const served = [
  new RegExp(`^/${segment}\\.html$`),
  new RegExp(`^/(?:${rooms})/(?!${segment}/jobs/)(?:${segment}/)*${file}$`),
  new RegExp(`^/runs/${segment}/jobs/${segment}/a[1-9]\\d*/(?:attempt|outcome|metrics)\\.jsonl?$`),
];

/** Is a path (decoded, from the store's root, with a slash before it) one that is served? */
export function isServed(path: string): boolean {
  return served.some((pattern) => pattern.test(path)) && !path.includes('..');
}

/** Text in a browser's window, not a download. */
const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json; charset=utf-8',
};
const plain = 'text/plain; charset=utf-8';

const headers = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

export interface PageServer {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  close: () => Promise<void>;
}

/** `names`: host names beside those of loopback by which it may be asked, behind a proxy. Port 0: any that is free. Throws a CliError. */
export async function servePages(store: string, port: number, names: readonly string[] = []): Promise<PageServer> {
  const root = await rootOf(store);
  const hosts = new Set([...loopback, ...names.map((name) => name.toLowerCase())]);
  const server = createServer((request, response) => {
    answer(root, hosts, request, response).catch((error: unknown) => {
      process.stderr.write(`critic: ${shown(request.url)}: ${String(error)}\n`);
      say(response, 500, 'It could not be read.');
    });
  });
  const bound = await listen(server, port);
  return {
    url: `http://${address}:${bound}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function rootOf(store: string): Promise<string> {
  try {
    return await realpath(store);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CliError(`--store: expected the store's folder on this machine, got ${shown(store)} (${why})`);
  }
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const why = 'code' in error ? String(error.code) : error.message;
      reject(new CliError(`--port: expected a port that is free on ${address}, got ${port} (${why})`));
    });
    server.listen(port, address, resolve);
  });
  const at = server.address();
  return typeof at === 'object' && at !== null ? at.port : port;
}

/** Another host's name is refused, so that a page from elsewhere cannot read by a name that it made point here. */
async function answer(
  root: string,
  hosts: ReadonlySet<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!hosts.has(host)) return say(response, 421, `Not served under this name: ${loopback.join(', ')}, or --name.`);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return say(response, 405, 'Only read.');
  }
  const path = pathOf(request.url ?? '/');
  if (path === '/') {
    response.setHeader('Location', front);
    return say(response, 302, front);
  }
  if (path === undefined || !isServed(path) || !(await isReadable(root, path))) {
    return say(
      response,
      404,
      path === front ? 'No night has ended yet: "critic nights" writes this page.' : 'Not here.',
    );
  }
  await sendFile(root, path, request, response);
}

/** Undefined for what is no path. */
function pathOf(url: string): string | undefined {
  try {
    return decodeURIComponent(url.replace(/[?#].*$/s, ''));
  } catch {
    return undefined; // %-signs that encode nothing
  }
}

/** A link that leads out of the store or to what is not served, or a file that this process may not read, is as one that is not there. */
async function isReadable(root: string, path: string): Promise<boolean> {
  try {
    const real = await realpath(join(root, path));
    if (!real.startsWith(root + sep) || !isServed(real.slice(root.length))) return false;
    await access(real, constants.R_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

async function sendFile(root: string, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Content-Type', types[path.slice(path.lastIndexOf('.') + 1)] ?? plain);
  await new Promise<void>((resolve, reject) => {
    send(request, path, { root, index: false, dotfiles: 'deny', acceptRanges: false, cacheControl: false })
      .on('error', (error: Error & { statusCode?: number }) =>
        error.statusCode === 404 ? resolve(say(response, 404, 'Not here.')) : reject(error),
      )
      .on('directory', () => resolve(say(response, 404, 'Not here.')))
      .on('headers', (reply: ServerResponse) => reply.setHeader('Cache-Control', 'no-cache'))
      .pipe(response)
      .on('close', resolve);
  });
}

function say(response: ServerResponse, code: number, sentence: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(code, { 'Content-Type': plain });
  response.end(`${sentence}\n`);
}
