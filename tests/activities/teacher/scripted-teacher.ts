/** A scripted OpenAI-compatible server on a real port: for the answers that a well-behaved one cannot be made to give. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';
import { ScriptedBatches } from './scripted-batches.ts';
import { completion, type Completion, instructionIn } from './scripted-completion.ts';

/** What to do with the `number`-th request (from 1) about pair `id`; undefined: a good answer. */
export type Script = (request: Seen) => Behaviour | undefined;

export interface Seen {
  /** Number of the request at this server, from 1. */
  number: number;
  /** Number of the request about this instruction, from 1. */
  ofRow: number;
  instruction: string;
  key: string;
  body: z.output<typeof bodySchema>;
}

export type Behaviour =
  | { kind: 'status'; status: number; code?: string | number; param?: string; headers?: Record<string, string> }
  | ({ kind: 'completion' } & Completion)
  | { kind: 'body'; text: string }
  | { kind: 'cut' | 'reset' | 'silence' | 'hang-body' };

const bodySchema = z.object({
  model: z.string(),
  max_tokens: z.number(),
  response_format: z.object({ type: z.enum(['json_schema', 'json_object']) }).optional(),
  messages: z.array(z.object({ role: z.string(), content: z.unknown() })),
});

export class ScriptedTeacher {
  readonly requests: Seen[] = [];
  /** The same server's files and batches. */
  readonly batches = new ScriptedBatches();
  script: Script = () => undefined;
  /** Milliseconds before each answer. */
  latencyMs = 0;
  /** Requests whose client went before it had sent them: it was killed, or gave up. Never seen by the script. */
  aborted = 0;
  readonly #errors: unknown[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.destroy();
        if (request.complete) this.#errors.push(error);
        else this.aborted += 1;
      });
    });
  }

  static async start(port = 0): Promise<ScriptedTeacher> {
    const teacher = new ScriptedTeacher();
    await new Promise<void>((resolve) => teacher.#server.listen(port, '127.0.0.1', resolve));
    return teacher;
  }

  get baseUrl(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    const { port }: AddressInfo = address;
    return `http://127.0.0.1:${port}/v1`;
  }

  /** Ends all connections. Throws what went wrong here with a whole request: a test's mistake, or one of its client's. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    if (this.#errors.length > 0) throw new AggregateError(this.#errors, 'the scripted teacher could not answer');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (/^\/v1\/(files|batches)/.test(request.url ?? '')) return this.batches.handle(request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = bodySchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    const instruction = instructionIn(body.messages);
    const ofRow = this.requests.filter((seen) => seen.instruction === instruction).length + 1;
    const key = request.headers['idempotency-key'];
    const seen = { number: this.requests.length + 1, ofRow, instruction, key: String(key), body };
    this.requests.push(seen);
    if (request.headers.authorization !== 'Bearer test-key') {
      send(response, 401, { error: { message: 'Incorrect API key provided: test-key', code: 'invalid_api_key' } });
      return;
    }
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    behave(response, seen, this.script(seen) ?? { kind: 'completion' });
  }
}

function behave(response: ServerResponse, seen: Seen, behaviour: Behaviour): void {
  switch (behaviour.kind) {
    case 'status': {
      const { status, code = null, param = null, headers = {} } = behaviour;
      send(response, status, { error: { message: `scripted ${status}`, type: 'error', param, code } }, headers);
      return;
    }
    case 'completion':
      send(response, 200, completion(seen.instruction, behaviour));
      return;
    case 'body':
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(behaviour.text);
      return;
    case 'cut':
    case 'hang-body': {
      const text = JSON.stringify(completion(seen.instruction, {}));
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': text.length });
      response.write(text.slice(0, text.length / 2), () => {
        if (behaviour.kind === 'cut') response.destroy();
      });
      return;
    }
    case 'reset':
      response.destroy();
      return;
    case 'silence':
  }
}

function send(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value));
}
