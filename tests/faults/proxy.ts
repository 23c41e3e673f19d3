/**
 * The proxy between worker and slurmrestd: it passes requests on, or does to one of them what a network can do. A rule
 * decides for each request; what it decided is kept.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { proxyPort, restPort } from './stack.ts';

const rest = new Pool(`http://127.0.0.1:${restPort}`, { connections: 8, pipelining: 1, keepAliveTimeout: 4_000 });

export type Treatment =
  | 'pass'
  /** Never reaches slurmrestd; the caller waits for an answer that does not come. */
  | 'hold-before'
  /** Reaches slurmrestd; its answer is kept. */
  | 'hold-after'
  | 'drop-before'
  | 'drop-after'
  /** Half of the answer, then the connection is cut. */
  | 'truncate'
  /** Sent twice; the caller gets the second answer. */
  | 'twice'
  | 'late'
  /** Not forwarded: slurmrestd has no such path (plain text, as it says so itself). */
  | 'not-served'
  /** Not forwarded: 503, as a proxy says it. */
  | 'unavailable';

const unforwarded: Partial<Record<Treatment, number>> = { 'not-served': 404, unavailable: 503 };

export interface Asked {
  method: string;
  path: string;
  body: string;
}

export interface Seen extends Asked {
  treatment: Treatment;
  /** Answers of slurmrestd, in order. */
  answers: string[];
}

export type Rule = (asked: Asked) => Treatment | Promise<Treatment>;

const pass: Rule = () => 'pass';

export class Proxy {
  readonly #server: Server;
  rule: Rule = pass;
  seen: Seen[] = [];
  /** What went wrong in the proxy itself: its caller died, or slurmrestd did. */
  errors: string[] = [];
  /** How long `late` takes, ms. */
  lateMs = 3_000;

  private constructor(server: Server) {
    this.#server = server;
    server.keepAliveTimeout = 4_000;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#treat(request, response).catch((error: unknown) => {
        this.errors.push(String(error));
        response.destroy();
      });
    });
  }

  static async open(): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    await new Promise<void>((resolve) => server.listen(proxyPort, '127.0.0.1', resolve));
    return proxy;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  reset(): void {
    this.rule = pass;
    this.seen = [];
  }

  /** The first request with this treatment, awaited. */
  async sees(treatment: Treatment, seconds = 60): Promise<Seen> {
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const found = this.seen.find(
        (one) => one.treatment === treatment && (treatment !== 'hold-after' || one.answers.length > 0),
      );
      if (found !== undefined) return found;
      if (Date.now() > until) throw new Error(`no request was treated with "${treatment}" within ${seconds} s`);
      await sleep(50);
    }
  }

  async #treat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = { method: request.method ?? '', path: request.url ?? '', body: await text(request) };
    const treatment = await this.rule(asked);
    const seen: Seen = { ...asked, treatment, answers: [] };
    if (asked.method !== 'GET' || treatment !== 'pass') this.seen.push(seen);
    if (treatment === 'hold-before') return;
    if (treatment === 'drop-before') return void response.destroy();
    const status = unforwarded[treatment];
    if (status !== undefined) {
      response.writeHead(status, { 'content-type': 'text/plain' }).end('Unable find requested URL');
      return;
    }
    if (treatment === 'late') await sleep(this.lateMs);
    const first = await forward(asked, request);
    seen.answers.push(first.body);
    const answer = treatment === 'twice' ? await forward(asked, request) : first;
    if (treatment === 'twice') seen.answers.push(answer.body);
    if (treatment === 'hold-after') return;
    if (treatment === 'drop-after') return void response.destroy();
    response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
    if (treatment === 'truncate') {
      response.write(answer.body.slice(0, answer.body.length / 2), () => response.destroy());
      return;
    }
    response.end(answer.body);
  }
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Node's own client with `Connection: close` gets a broken answer from 22.05, so this is the pool that the product uses. */
async function forward(asked: Asked, from: IncomingMessage): Promise<Answer> {
  const { connection: _, host: __, 'content-length': ___, ...headers } = from.headers;
  const { method, path, body } = asked;
  const response = await rest.request({ method, path, headers, body: body === '' ? null : body });
  const type = response.headers['content-type'];
  return {
    status: response.statusCode,
    headers: { 'content-type': typeof type === 'string' ? type : 'text/plain' },
    body: await response.body.text(),
  };
}

async function text(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
