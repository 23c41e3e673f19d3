/**
 * HTTP to slurmrestd: a small pool, exact headers, no retries. It knows bytes and time limits, and nothing of Slurm's answers.
 *
 * slurmrestd serves 124 connections in all, idle ones included, so the pool is small and idle sockets are closed soon. Before 26.05
 * it breaks pipelined requests. It wants `application/json` without a charset, and a Content-Length instead of chunks.
 */
import { Pool, type Dispatcher } from 'undici';
import { classifyNetwork } from './classify.ts';
import { SlurmError } from './errors.ts';
import { redact, tokenTimes, type TokenProvider } from './token.ts';

export interface TransportOptions {
  baseUrl: string;
  socketPath?: string | undefined;
  auth?: { userName: string; token: TokenProvider } | undefined;
  connections: number;
  headersTimeoutMs: number;
  connectTimeoutMs: number;
}

export interface RawRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  body?: unknown;
  /** For messages: `submit job "x"`. */
  what: string;
  write: boolean;
}

export interface RawAnswer {
  status: number;
  text: string;
  /** The token was past its `exp`, by this machine's clock, when the request was sent. */
  tokenExpired: boolean;
  /** For redaction of what the server said. */
  redact: (text: string) => string;
}

export class Transport {
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #auth: TransportOptions['auth'];

  constructor(options: TransportOptions) {
    const url = new URL(options.baseUrl);
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
      throw new TypeError('baseUrl must not hold credentials, a query or a fragment');
    }
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#auth = options.auth;
    this.#pool = new Pool(url.origin, {
      connections: options.connections,
      pipelining: 1,
      // HTTP/1.1 even if a TLS proxy in front offers more: one request at a time on each socket, whatever undici's default is.
      allowH2: false,
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 4_000,
      headersTimeout: options.headersTimeoutMs,
      bodyTimeout: options.headersTimeoutMs,
      connect: { timeout: options.connectTimeoutMs },
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
    });
  }

  /** Sends once. Any HTTP status is an answer. Throws SlurmError if there is none. */
  async send(request: RawRequest): Promise<RawAnswer> {
    const token = await this.#auth?.token.token();
    const expiresAt = token === undefined ? undefined : tokenTimes(token).expiresAt;
    const tokenExpired = expiresAt !== undefined && expiresAt <= Date.now();
    try {
      const response = await this.#pool.request(this.#options(request, token));
      const text = await response.body.text();
      return { status: response.statusCode, text, tokenExpired, redact: (said) => redact(said, token ?? '') };
    } catch (error) {
      throw networkError(request, error);
    }
  }

  /** The server did not accept the token. */
  rejectToken(): void {
    this.#auth?.token.invalidate();
  }

  /** Waits for requests under way, then closes all sockets. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  #options(request: RawRequest, token: string | undefined): Dispatcher.RequestOptions {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.#auth !== undefined && token !== undefined) {
      // Both X- headers and no Authorization: every release accepts this form (22.05 requires the name).
      headers['X-SLURM-USER-NAME'] = this.#auth.userName;
      headers['X-SLURM-USER-TOKEN'] = token;
    }
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    return {
      method: request.method,
      path: `${this.#prefix}${request.path}`,
      headers,
      // For a string undici sends a Content-Length. A stream would be chunked, which slurmrestd answers with 406.
      body: request.body === undefined ? null : JSON.stringify(request.body),
    };
  }
}

function networkError(request: RawRequest, error: unknown): SlurmError {
  const { code = '', syscall = '', message = String(error) } = systemError(error);
  const verdict = classifyNetwork(code, syscall, request.write);
  const fate = verdict.delivery === 'unknown' ? ', and whether it was carried out is not known' : '';
  return new SlurmError(
    `${request.what}: no answer from slurmrestd${fate}: ${redact(message)}${code === '' ? '' : ` (${code})`}`,
    {
      ...verdict,
      source: code,
      cause: error,
    },
  );
}

function systemError(error: unknown): { code?: string; syscall?: string; message?: string } {
  if (!(error instanceof Error)) return {};
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const syscall = 'syscall' in error && typeof error.syscall === 'string' ? error.syscall : '';
  const message = error.message === '' ? error.name : error.message;
  return { code, syscall, message };
}
