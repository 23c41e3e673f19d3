/** A scripted OpenAI-compatible server on a real port: for the answers that a well-behaved one cannot be made to give. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';

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
  | { kind: 'completion'; content?: string | null; finish?: string; refusal?: string; usage?: boolean }
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
  script: Script = () => undefined;
  /** Milliseconds before each answer. */
  latencyMs = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#handle(request, response);
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

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = bodySchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    const instruction = /make the circle number \d+ blue/.exec(JSON.stringify(body.messages))?.[0] ?? '';
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
      send(response, 200, completion(seen, behaviour));
      return;
    case 'body':
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(behaviour.text);
      return;
    case 'cut':
    case 'hang-body': {
      const text = JSON.stringify(completion(seen, {}));
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

function completion(
  seen: Seen,
  answer: { content?: string | null; finish?: string; refusal?: string; usage?: boolean },
) {
  const content = answer.content === undefined ? JSON.stringify(goodCritique(seen.instruction)) : answer.content;
  return {
    id: 'x',
    object: 'chat.completion',
    created: 0,
    model: 'scripted-1',
    choices: [
      {
        index: 0,
        finish_reason: answer.finish ?? 'stop',
        message: { role: 'assistant', content, refusal: answer.refusal ?? null },
      },
    ],
    ...(answer.usage === false ? {} : { usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 } }),
  };
}

/** Passes the default filter: 80 words and more, English enough, no digits; every instruction has its own words. */
export function goodCritique(instruction: string) {
  const own = (part: string) =>
    Array.from({ length: 12 }, (_, index) => `the ${part}${letters(instruction)}word${letters(String(index))}`).join(
      ' ',
    );
  return { alignment: own('a'), fidelity: own('f'), quality: own('q'), overall: own('o') };
}

/** Digits become letters: a critique must not hold any. */
function letters(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '').replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));
}

function send(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value));
}
