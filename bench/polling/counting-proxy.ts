/**
 * A proxy before slurmrestd that counts what passes: requests by kind, bytes of the answers. It changes nothing. A list of all
 * jobs is counted with the bytes that it would have with `others` more jobs of the same size.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Pool } from 'undici';

export class CountingProxy {
  readonly #server: Server;
  readonly #rest: Pool;
  /** Requests by kind, e.g. `GET jobs/`. */
  readonly requests = new Map<string, number>();
  bytes = 0;
  /** Jobs that are really there, and jobs of others that are added to each list in the count. */
  population = { there: 1, others: 0 };

  private constructor(target: string) {
    this.#rest = new Pool(target, { connections: 4, pipelining: 1, keepAliveTimeout: 4_000 });
    this.#server = createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  static async open(target: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Forgets what was counted. */
  reset(): void {
    this.requests.clear();
    this.bytes = 0;
  }

  get total(): number {
    return [...this.requests.values()].reduce((sum, count) => sum + count, 0);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#rest.close();
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const kind = `${method} ${path
      .replace(/^\/slurm\/v[\d.]+\//, '')
      .replace(/\?.*$/, '')
      .replace(/\d+$/, '<id>')}`;
    this.requests.set(kind, (this.requests.get(kind) ?? 0) + 1);
    const { connection: _, host: __, 'content-length': ___, ...headers } = request.headers;
    const body = await buffer(request);
    const answer = await this.#rest.request({ method, path, headers, body: body.length === 0 ? null : body });
    const content = Buffer.from(await answer.body.arrayBuffer());
    const { there, others } = this.population;
    this.bytes += content.length * (/\/jobs\/(state\/)?$/.test(path) ? (there + others) / there : 1);
    const type = answer.headers['content-type'];
    response.writeHead(answer.statusCode, {
      'content-type': typeof type === 'string' ? type : 'text/plain',
      'content-length': content.length,
    });
    response.end(content);
  }
}
