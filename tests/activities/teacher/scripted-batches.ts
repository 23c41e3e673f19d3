/**
 * Files and batches of the scripted server, in memory: lists in pages of two, counts what it was asked and what it charged,
 * and misbehaves as told. A batch goes on by being looked at: `validating`, `in_progress`, then over.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { completion, type Completion, instructionIn } from './scripted-completion.ts';

/** What becomes of one request of a batch; undefined: a good answer. */
export type LineResult =
  | ({ kind: 'completion' } & Completion)
  | { kind: 'status'; status: number; code?: string }
  | { kind: 'error'; code: string }
  | { kind: 'missing' };

/** How a batch ends; undefined: completed, all requests done. `done`: how many of its requests were. */
export type End = { status: 'failed'; code?: string } | { status: 'expired' | 'never'; done?: number };

/** What happens to a request instead of, or after, what it asks for. `cut`: done, and the answer never comes. */
export type Fault = { kind: 'status'; status: number; code?: string } | { kind: 'drop' | 'cut' | 'half' };

export interface Line {
  key: string;
  instruction: string;
  /** Number of the request about this row, from 1. */
  ofRow: number;
}

interface StoredFile {
  id: string;
  filename: string;
  purpose: string;
  created_at: number;
  content: string;
}

interface StoredBatch {
  id: string;
  number: number;
  shard: string;
  input: string;
  lines: Line[];
  status: string;
  looks: number;
  created_at: number;
  output?: string;
  error?: string;
  code?: string;
}

const lineSchema = z.object({
  custom_id: z.string(),
  method: z.literal('POST'),
  url: z.literal('/v1/chat/completions'),
  body: z.looseObject({ model: z.string(), messages: z.unknown(), response_format: z.unknown() }),
});
const createSchema = z.object({
  input_file_id: z.string(),
  endpoint: z.literal('/v1/chat/completions'),
  completion_window: z.literal('24h'),
  metadata: z.record(z.string(), z.string()),
});

export class ScriptedBatches {
  readonly files = new Map<string, StoredFile>();
  readonly batches: StoredBatch[] = [];
  /** `POST files`, `GET batches/ID`, … in the order of arrival. */
  readonly requests: string[] = [];
  /** How often each request key was charged. */
  readonly paid = new Map<string, number>();
  /** Most requests that stood in batches at once. */
  mostStanding = 0;
  /** Requests that may stand at once; a batch beyond fails its validation. */
  queueLimit = Number.POSITIVE_INFINITY;
  /** Looks at a batch until it is over. */
  looks = 2;
  line: (line: Line, batch: number) => LineResult | undefined = () => undefined;
  end: (batch: number) => End | undefined = () => undefined;
  /** `number`: of the requests of this kind (`POST files`), from 1. */
  fault: (kind: string, number: number) => Fault | undefined = () => undefined;
  #ids = 0;

  /** Request keys that were charged more than once. */
  paidTwice(): string[] {
    return [...this.paid].filter(([, times]) => times > 1).map(([key]) => key);
  }

  /** Requests of each batch, in the order of creation. */
  sizes(): number[] {
    return this.batches.map(({ lines }) => lines.length);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://server');
    const [, , noun = '', id = '', verb = ''] = url.pathname.split('/');
    const kind = [request.method, noun, id === '' ? '' : 'ID', verb].filter((part) => part !== '').join(' ');
    const number = this.requests.push(kind) && this.requests.filter((one) => one === kind).length;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks);
    if (request.headers.authorization !== 'Bearer test-key') {
      return send(response, 401, { error: { message: 'Incorrect API key: test-key', code: 'invalid_api_key' } });
    }
    const fault = this.fault(kind, number);
    if (fault?.kind === 'drop') return void response.destroy();
    if (fault?.kind === 'status') {
      const { status, code = null } = fault;
      return send(response, status, { error: { message: `scripted ${status}`, code } });
    }
    const answer = await this.#answer(kind, id, url.searchParams, body, request.headers['content-type'] ?? '');
    if (fault?.kind === 'cut') return void response.destroy();
    if (answer === undefined) return send(response, 404, { error: { message: 'not found', code: null } });
    if (typeof answer !== 'string') return send(response, 200, answer);
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': Buffer.byteLength(answer),
    });
    if (fault?.kind !== 'half') return void response.end(answer);
    response.write(answer.slice(0, answer.length / 2));
  }

  async #answer(kind: string, id: string, query: URLSearchParams, body: Buffer, type: string): Promise<unknown> {
    switch (kind) {
      case 'POST files':
        return this.#upload(body, type);
      case 'GET files':
        return page([...this.files.values()].toReversed().map(shown), query);
      case 'GET files ID content':
        return this.files.get(id)?.content;
      case 'DELETE files ID':
        return this.files.delete(id) ? { id, object: 'file', deleted: true } : undefined;
      case 'POST batches':
        return this.#create(createSchema.parse(JSON.parse(body.toString('utf8'))));
      case 'GET batches':
        return page(this.batches.map(view).toReversed(), query);
      case 'GET batches ID':
        return this.#look(this.#find(id));
      case 'POST batches ID cancel': {
        const batch = this.#find(id);
        if (batch !== undefined && batch.output === undefined) batch.status = 'cancelling';
        return batch && view(batch);
      }
      default:
        return undefined;
    }
  }

  async #upload(body: Buffer, type: string): Promise<unknown> {
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData();
    const file = form.get('file');
    const purpose = form.get('purpose');
    if (!(file instanceof File) || typeof purpose !== 'string') throw new Error('expected a file and its purpose');
    return shown(this.#store(file.name, purpose, await file.text()));
  }

  #store(filename: string, purpose: string, content: string): StoredFile {
    this.#ids += 1;
    const id = `file-${this.#ids}`;
    const file = { id, filename, purpose, created_at: Math.floor(Date.now() / 1000), content };
    this.files.set(id, file);
    return file;
  }

  #create(asked: z.output<typeof createSchema>): unknown {
    const content = this.files.get(asked.input_file_id)?.content;
    if (content === undefined) return undefined;
    const number = this.batches.length + 1;
    const lines = content
      .trim()
      .split('\n')
      .map((text) => lineSchema.parse(JSON.parse(text)))
      .map(({ custom_id: key, body }) => {
        const instruction = instructionIn(body.messages);
        const before = this.batches.flatMap((batch) => batch.lines).filter((line) => line.instruction === instruction);
        return { key, instruction, ofRow: before.length + 1 };
      });
    const batch: StoredBatch = {
      id: `batch-${number}`,
      number,
      shard: asked.metadata['critic_shard'] ?? '',
      input: asked.input_file_id,
      lines,
      status: 'validating',
      looks: 0,
      created_at: Math.floor(Date.now() / 1000),
    };
    this.batches.push(batch);
    const standing = this.#standing();
    if (standing > this.queueLimit) batch.code = 'token_limit_exceeded';
    else this.mostStanding = Math.max(this.mostStanding, standing);
    return view(batch);
  }

  #standing(): number {
    const open = this.batches.filter(({ status, code }) => code === undefined && !overStatuses.includes(status));
    return open.reduce((sum, { lines }) => sum + lines.length, 0);
  }

  /** A look makes it go on. */
  #look(batch: StoredBatch | undefined): unknown {
    if (batch === undefined || overStatuses.includes(batch.status)) return batch && view(batch);
    batch.looks += 1;
    const end = this.end(batch.number);
    if (batch.code !== undefined || end?.status === 'failed') {
      if (end?.status === 'failed' && end.code !== undefined) batch.code = end.code;
      batch.status = 'failed';
    } else if (batch.status === 'cancelling') {
      this.#finish(batch, 'cancelled', end?.done ?? 0, 'batch_cancelled');
    } else if (batch.looks < this.looks || end?.status === 'never') batch.status = 'in_progress';
    else if (end === undefined) this.#finish(batch, 'completed', batch.lines.length, '');
    else this.#finish(batch, end.status, end.done ?? 0, 'batch_expired');
    return view(batch);
  }

  #finish(batch: StoredBatch, status: string, done: number, code: string): void {
    const output: unknown[] = [];
    const errors: unknown[] = [];
    for (const [index, line] of batch.lines.entries()) {
      const result: LineResult =
        index < done ? (this.line(line, batch.number) ?? { kind: 'completion' }) : { kind: 'error', code };
      const named = { id: `req-${index}`, custom_id: line.key };
      if (result.kind === 'completion') {
        this.paid.set(line.key, (this.paid.get(line.key) ?? 0) + 1);
        const body = completion(line.instruction, result);
        output.push({ ...named, response: { status_code: 200, request_id: 'r', body }, error: null });
      } else if (result.kind === 'status') {
        const body = { error: { message: 'scripted', code: result.code ?? null } };
        errors.push({ ...named, response: { status_code: result.status, request_id: 'r', body }, error: null });
      } else if (result.kind === 'error') {
        errors.push({ ...named, response: null, error: { code: result.code, message: 'scripted' } });
      }
    }
    const text = (rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    if (output.length > 0) batch.output = this.#store('output.jsonl', 'batch_output', text(output)).id;
    if (errors.length > 0) batch.error = this.#store('error.jsonl', 'batch_output', text(errors)).id;
    batch.status = status;
  }

  #find(id: string): StoredBatch | undefined {
    return this.batches.find((batch) => batch.id === id);
  }
}

const overStatuses = ['failed', 'completed', 'expired', 'cancelled'];

/** As the API shows a batch. */
function view(batch: StoredBatch): { id: string } & Record<string, unknown> {
  const { id, status, created_at, shard, lines, input, output = null, error = null, code } = batch;
  const done = output === null ? 0 : lines.length;
  return {
    id,
    object: 'batch',
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    status,
    created_at,
    input_file_id: input,
    output_file_id: output,
    error_file_id: error,
    metadata: { critic_shard: shard },
    request_counts: { total: lines.length, completed: done, failed: 0 },
    ...(status === 'failed'
      ? { errors: { object: 'list', data: code === undefined ? [] : [{ code, message: 'scripted' }] } }
      : {}),
  };
}

/** As the API shows a file. */
function shown({ id, filename, purpose, created_at, content }: StoredFile): { id: string } & Record<string, unknown> {
  return { id, object: 'file', filename, purpose, created_at, bytes: Buffer.byteLength(content), status: 'processed' };
}

/** Two at a time, newest first, after the id that the caller has seen last. */
function page(all: ({ id: string } & Record<string, unknown>)[], query: URLSearchParams): unknown {
  const after = query.get('after');
  const start = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  return { object: 'list', data: all.slice(start, start + 2), has_more: start + 2 < all.length };
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}
