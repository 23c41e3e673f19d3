/**
 * Batch client: OpenAI's files and batches, with one HTTP request for each call. Nothing is retried here. As in `client.ts`, expected
 * outcomes are returned, and what no retry mends is thrown; an abort is thrown as its reason. zod checks answers. Files are sent and
 * read as streams, so a shard of 190 MB is never in memory.
 */
import { openAsBlob } from 'node:fs';
import type { ApplicationFailure } from '@temporalio/activity';
import { NotFoundError, type OpenAI } from 'openai';
import * as z from 'zod';
import { withoutKey } from './api-key.ts';
import { judgeError, openAiPackage } from './client.ts';
import { refuse } from '../failure.ts';

const askMs = 60_000;
/** Long enough for 190 MB over a slow line. */
const transferMs = 30 * 60_000;
/** A server's clock may be this much behind ours. Listings are read back this far. */
const clockMs = 24 * 60 * 60_000;

export const batchEndpoint = '/v1/chat/completions';
/** Name of the shard in the batch's metadata. With it a batch is found whose id never came back. */
const shardKey = 'critic_shard';

const fileSchema = z.object({ id: z.string() });
const batchSchema = z.object({
  id: z.string(),
  status: z.enum([
    'validating',
    'failed',
    'in_progress',
    'finalizing',
    'completed',
    'expired',
    'cancelling',
    'cancelled',
  ]),
  input_file_id: z.string(),
  output_file_id: z.string().nullish(),
  error_file_id: z.string().nullish(),
  errors: z
    .object({
      data: z
        .array(z.object({ code: z.string().nullish(), message: z.string().nullish(), line: z.int().nullish() }))
        .nullish(),
    })
    .nullish(),
  request_counts: z.object({ total: z.int(), completed: z.int(), failed: z.int() }).nullish(),
});
export type Batch = z.output<typeof batchSchema>;

export type Reply<T> =
  | { kind: 'ok'; value: T }
  /** There is no answer this time. `maybeDone`: the server may have done it. */
  | { kind: 'unavailable'; detail: string; maybeDone: boolean; retryAfterMs: number | undefined };

/** Thrown while a file is read, when the connection broke or the server stopped sending. */
export class FileCutOffError extends Error {
  override readonly name = 'FileCutOffError';
}

export class BatchClient {
  readonly #openai: OpenAI;
  readonly #key: string;

  constructor(baseUrl: string, key: string) {
    this.#key = key;
    this.#openai = openAiPackage(baseUrl, key);
  }

  /** Uploads a file of requests. Returns its id. */
  async upload(path: string, filename: string, signal: AbortSignal): Promise<Reply<string>> {
    const file = new File([await openAsBlob(path)], filename, { type: 'application/jsonl' });
    // Otherwise fetch keeps all that it has sent, for a redirect: 225 MB more in memory for 190 MB sent (Node 24.21, measured).
    const fetchOptions = { redirect: 'error', window: null } as const;
    return this.#call(`upload "${filename}"`, signal, transferMs, async (options) => {
      const created = await this.#openai.files.create({ file, purpose: 'batch' }, { ...options, fetchOptions });
      return fileSchema.parse(created).id;
    });
  }

  /** Id of the newest uploaded file of this name. Undefined if a listing back to `since` (ms) has none. */
  findFile(filename: string, since: number, signal: AbortSignal): Promise<Reply<string | undefined>> {
    return this.#call(`look for file "${filename}"`, signal, askMs, async (options) => {
      const list = this.#openai.files.list({ purpose: 'batch', order: 'desc', limit: 100 }, options);
      // Other people's files may lack any field.
      for await (const entry of list) {
        if (entry.filename === filename) return fileSchema.parse(entry).id;
        if (isBefore(entry.created_at, since)) return undefined;
      }
      return undefined;
    });
  }

  create(file: string, shard: string, window: '24h', signal: AbortSignal): Promise<Reply<Batch>> {
    return this.#call(`create the batch of "${shard}"`, signal, askMs, async (options) => {
      const created = await this.#openai.batches.create(
        { input_file_id: file, endpoint: batchEndpoint, completion_window: window, metadata: { [shardKey]: shard } },
        { ...options, headers: { 'Idempotency-Key': shard } },
      );
      return batchSchema.parse(created);
    });
  }

  /** Batches made of this shard, oldest first, from a listing back to `since` (ms). There should be one at most. */
  findBatches(shard: string, since: number, signal: AbortSignal): Promise<Reply<Batch[]>> {
    return this.#call(`look for the batch of "${shard}"`, signal, askMs, async (options) => {
      const found: Batch[] = [];
      for await (const entry of this.#openai.batches.list({ limit: 100 }, options)) {
        if (entry.metadata?.[shardKey] === shard) found.unshift(batchSchema.parse(entry));
        if (isBefore(entry.created_at, since)) break;
      }
      return found;
    });
  }

  retrieve(id: string, signal: AbortSignal): Promise<Reply<Batch>> {
    return this.#call(`ask for batch ${id}`, signal, askMs, async (options) =>
      batchSchema.parse(await this.#openai.batches.retrieve(id, options)),
    );
  }

  cancel(id: string, signal: AbortSignal): Promise<Reply<Batch>> {
    return this.#call(`cancel batch ${id}`, signal, askMs, async (options) =>
      batchSchema.parse(await this.#openai.batches.cancel(id, options)),
    );
  }

  deleteFile(id: string, signal: AbortSignal): Promise<Reply<void>> {
    return this.#call(`delete file ${id}`, signal, askMs, async (options) => {
      await this.#openai.files.delete(id, options);
    });
  }

  /** Lines of a file, as they arrive. None if the file is gone. Throws FileCutOffError if it cannot be read to its end. */
  async *lines(id: string, signal: AbortSignal): AsyncGenerator<string> {
    const body = await this.#content(id, signal);
    const decoder = new TextDecoder();
    let rest = '';
    try {
      // Errors of whoever uses these lines do not come here: only reading itself is judged.
      for await (const chunk of body) {
        const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = parts.pop() ?? '';
        yield* parts.filter((line) => line.trim() !== '');
      }
    } catch (error) {
      signal.throwIfAborted();
      const judged = judgeError(error, this.#key);
      throw new FileCutOffError(`file ${id}: ${'detail' in judged ? judged.detail : judged.kind}`);
    }
    if (rest.trim() !== '') yield rest;
  }

  async #content(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const reply = await this.#call(`read file ${id}`, signal, transferMs, (options) =>
      this.#openai.files.content(id, options).catch((error: unknown) => {
        if (error instanceof NotFoundError) return undefined;
        throw error;
      }),
    );
    if (reply.kind !== 'ok') throw new FileCutOffError(reply.detail);
    return reply.value?.body ?? nothing();
  }

  /** `text` without the key, in case a server has quoted it, and at most 300 characters of it. */
  quotable(text: string): string {
    return withoutKey(text, this.#key).slice(0, 300);
  }

  async #call<T>(
    attempted: string,
    signal: AbortSignal,
    timeoutMs: number,
    send: (options: { signal: AbortSignal; timeout: number }) => Promise<T>,
  ): Promise<Reply<T>> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(timeoutMs);
    const both = AbortSignal.any([signal, deadline]);
    try {
      return { kind: 'ok', value: await send({ signal: both, timeout: timeoutMs + 1000 }) };
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) return unavailable(`${attempted}: no answer within ${timeoutMs / 1000} s`, true);
      if (error instanceof z.ZodError) return unavailable(`${attempted}: ${z.prettifyError(error)}`, true);
      if (error instanceof SyntaxError) return unavailable(`${attempted}: the answer is no JSON`, true);
      if (error instanceof NotFoundError) throw this.#notFound(attempted);
      return this.#judge(attempted, error);
    }
  }

  #judge<T>(attempted: string, error: unknown): Reply<T> {
    const judged = judgeError(error, this.#key);
    switch (judged.kind) {
      case 'rate-limited':
        return unavailable(`${attempted}: rate limited`, false, judged.refusal.retryAfterMs);
      case 'unavailable':
        return unavailable(`${attempted}: ${judged.detail}`, true, judged.retryAfterMs);
      case 'critique':
      case 'unusable':
        throw refuse('TeacherRefused', `${attempted}: refused by the teacher's content filter`);
    }
  }

  #notFound(attempted: string): ApplicationFailure {
    const why = 'does this server have the Batch API, and is it the key by which the batches were made?';
    return refuse('TeacherRefused', `${attempted}: not found; ${why}`);
  }
}

/** `createdAt` in seconds, as the API has it; `since` in ms. */
function isBefore(createdAt: unknown, since: number): boolean {
  return typeof createdAt === 'number' && createdAt * 1000 < since - clockMs;
}

function unavailable<T>(detail: string, maybeDone: boolean, retryAfterMs?: number): Reply<T> {
  return { kind: 'unavailable', detail, maybeDone, retryAfterMs };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
