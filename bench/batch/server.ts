/**
 * Files and batches of OpenAI’s API for measuring: of an upload it keeps the keys of its requests alone,
 * and a batch is done when it is first looked at. NOT a language model: answers are drawn words. Loopback only.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import { drawCritique } from '../synthesis/critique.ts';

interface StoredBatch {
  id: string;
  input: string;
  metadata: Record<string, string>;
}

const random = seededRandom(1);
const uploads = new Map<string, { filename: string; keys: string[] }>();
const batches = new Map<string, StoredBatch>();
const createSchema = z.object({ input_file_id: z.string(), metadata: z.record(z.string(), z.string()) });

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/v1`);
});
process.on('SIGTERM', () => process.exit(0));

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, , noun, id = '', verb] = (request.url ?? '').split('/');
  if (request.method === 'DELETE') return send(response, { id, deleted: true });
  if (request.method === 'POST' && noun === 'files') return send(response, await upload(request));
  if (request.method === 'POST' && noun === 'batches') return send(response, await create(request));
  if (noun === 'files' && verb === 'content') return results(response, id);
  const batch = batches.get(id);
  if (batch === undefined) throw new Error(`${request.method} ${request.url}`);
  send(response, shown(batch, 'completed'));
}

/** Reads a multipart body line by line and keeps what names the requests. */
async function upload(request: IncomingMessage): Promise<unknown> {
  const keys: string[] = [];
  let filename = '';
  for await (const line of createInterface({ input: request })) {
    filename ||= /filename="([^"]+)"/.exec(line.slice(0, 500))?.[1] ?? '';
    const key = /^\{"custom_id":"([^"]+)"/.exec(line.slice(0, 500))?.[1];
    if (key !== undefined) keys.push(key);
  }
  const id = `file-${randomUUID()}`;
  uploads.set(id, { filename, keys });
  return { id, filename };
}

async function create(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const { input_file_id: input, metadata } = createSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  const batch = { id: `batch-${randomUUID()}`, input, metadata };
  batches.set(batch.id, batch);
  return shown(batch, 'validating');
}

function shown({ id, input, metadata }: StoredBatch, status: string): unknown {
  const total = uploads.get(input)?.keys.length ?? 0;
  const done = status === 'completed';
  return {
    id,
    status,
    created_at: Math.floor(Date.now() / 1000),
    metadata,
    input_file_id: input,
    output_file_id: done ? input : null,
    request_counts: { total, completed: done ? total : 0, failed: 0 },
  };
}

function results(response: ServerResponse, input: string): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  for (const key of uploads.get(input)?.keys ?? []) {
    const message = { role: 'assistant', content: JSON.stringify(drawCritique(random)), refusal: null };
    const usage = { prompt_tokens: 1800, completion_tokens: 350, total_tokens: 2150 };
    const body = { model: 'bench-server', choices: [{ index: 0, finish_reason: 'stop', message }], usage };
    response.write(`${JSON.stringify({ custom_id: key, response: { status_code: 200, body }, error: null })}\n`);
  }
  response.end();
}

function send(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
