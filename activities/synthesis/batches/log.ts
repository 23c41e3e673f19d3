/**
 * Batch log: which requests are in which batch at the server, one event a line in `batches.jsonl`. `answers.jsonl` beside it holds their
 * outcomes. A shard is the file of one batch. Its name is ours and unique, and the server knows it too.
 *
 * `intended` is on disk before the upload, `uploaded` before the batch is created, `created` before it is waited for,
 * `collected` after all its outcomes are on disk. kill -9 in between leaves an open shard, which the next process finds here
 * and brings to its end (`submission.ts`, `collecting.ts`).
 */
import { join } from 'node:path';
import * as z from 'zod';
import { RowLog } from '../../store/row-log.ts';

const batchesName = 'batches.jsonl';

/** `usd` (discounted) is reserved. `tokens` are those of the prompts, which OpenAI counts in its queue. */
const requestSchema = z.object({
  id: z.string(),
  try: z.int().min(1),
  request: z.string(),
  usd: z.number().min(0),
  tokens: z.int().min(0),
});
export type ShardRequest = z.output<typeof requestSchema>;

const common = { shard: z.string(), at: z.string() };
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('intended'), ...common, requests: z.array(requestSchema).min(1) }),
  z.object({ event: z.literal('uploaded'), ...common, file: z.string() }),
  z.object({ event: z.literal('created'), ...common, batch: z.string() }),
  /** Its batch is over with this status, and every outcome is in `answers.jsonl`. */
  z.object({ event: z.literal('collected'), ...common, status: z.string() }),
  /** It is certain that no batch was made of it. Its requests may be asked in another way. */
  z.object({ event: z.literal('dropped'), ...common, why: z.string() }),
]);
type BatchEvent = z.output<typeof eventSchema>;
type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;

export interface Shard {
  name: string;
  requests: ShardRequest[];
  /** Prompt tokens of all requests. */
  tokens: number;
  /** When it was intended, ms since 1970. */
  intendedAt: number;
  file?: string;
  batch?: string;
}

export class BatchLog {
  readonly #log: RowLog<BatchEvent>;
  readonly #open = new Map<string, Shard>();

  private constructor(log: RowLog<BatchEvent>) {
    this.#log = log;
  }

  /** Opens or creates the log of this folder. */
  static async open(folder: string): Promise<{ batches: BatchLog; unreadable: number; tornBytes: number }> {
    const { log, rows, unreadable, tornBytes } = await RowLog.open(join(folder, batchesName), eventSchema);
    const batches = new BatchLog(log);
    for (const event of rows) batches.#apply(event);
    return { batches, unreadable, tornBytes };
  }

  /** Shards that were intended and are neither collected nor dropped, oldest first. */
  get open(): Shard[] {
    return [...this.#open.values()];
  }

  /** Resolves when the event is on disk. Only then it counts. */
  async record(event: WithoutTime<BatchEvent>): Promise<void> {
    const timed: BatchEvent = { ...event, at: new Date().toISOString() };
    await this.#log.append(timed);
    this.#apply(timed);
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  #apply(event: BatchEvent): void {
    const { shard: name } = event;
    const shard = this.#open.get(name);
    switch (event.event) {
      case 'intended': {
        const { requests } = event;
        const tokens = requests.reduce((sum, request) => sum + request.tokens, 0);
        this.#open.set(name, { name, requests, tokens, intendedAt: Date.parse(event.at) });
        return;
      }
      case 'uploaded':
        if (shard !== undefined) shard.file = event.file;
        return;
      case 'created':
        if (shard !== undefined) shard.batch = event.batch;
        return;
      case 'collected':
      case 'dropped':
        this.#open.delete(name);
    }
  }
}
