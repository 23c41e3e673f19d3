/**
 * Synthesis by batches: one round of the stage through the Batch API. Shards are submitted as long as rows, queue and money allow it. The
 * server is asked for its batches at intervals. A batch that is over is collected, and rows without an answer are submitted again. It does
 * not judge critiques: rejected rows come back in the stage's next round.
 *
 * Its state on disk is enough to go on: open batches are in `batches.jsonl`, answers in `answers.jsonl`. kill -9, shutdown and pause leave
 * the batches alone, and the next process waits for them. Only a cancelled run cancels them, and takes what is paid for.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApplicationFailure, Context, log as activityLog } from '@temporalio/activity';
import type { Pair } from '../../../domain/manifest.ts';
import type { Batch } from '../../teacher/batch-client.ts';
import { FileCutOffError } from '../../teacher/batch-client.ts';
import { collectShard, deleteFiles } from './collecting.ts';
import { type BatchDeps, teacherAway } from './deps.ts';
import type { Shard } from './log.ts';
import { clearShards, type ShardRoom, writeShard } from './shard.ts';
import { cancelBatch, recoverShard, submitShard } from './submission.ts';
import { budgetExceeded, maxUnavailable } from '../asking.ts';
import { prepareQuestion } from '../question.ts';
import { quotaCodes } from '../../teacher/client.ts';
import { refuse } from '../../failure.ts';

/** OpenAI: a batch is `cancelling` for up to 10 minutes. */
const cancelPatienceMs = 12 * 60_000;
const cancelPollMs = 5000;
const longestQueueWaitMs = 10 * 60_000;
const over: readonly Batch['status'][] = ['failed', 'completed', 'expired', 'cancelled'];

export class BatchRound {
  #deps: BatchDeps;
  readonly #answered: (id: string) => void;
  /** Each open shard's batch as it was when it was last asked for. */
  readonly #seen = new Map<string, Batch>();
  /** Failures of one request, and of polls, in a row. */
  readonly #failures = new Map<string, number>();
  #away = 0;
  #badFiles = 0;
  /** What the queue takes, as far as the server told. It rises again with every batch that gets through. */
  #queueLimit: number;
  #queueRefusals = 0;
  #notBefore = 0;

  /** `answered` is told of each request that brought an answer, good or not. */
  constructor(deps: BatchDeps, answered: (id: string) => void) {
    this.#deps = deps;
    this.#answered = answered;
    this.#queueLimit = deps.settings.batch.queued_tokens;
  }

  /** Returns when each of these rows has one more answer and no batch is open at the server. */
  async ask(rows: readonly Pair[]): Promise<void> {
    const { log } = this.#deps;
    const before = new Map(rows.map(({ id }) => [id, log.answers(id).length]));
    const isMissing = ({ id }: Pair) => log.answers(id).length === before.get(id);
    try {
      await clearShards(this.#deps.folder);
      for (const shard of this.#open) await recoverShard(this.#deps, shard, { create: true });
      for (;;) {
        await this.#submit(rows.filter(isMissing));
        if (this.#open.length === 0 && !rows.some(isMissing)) return;
        await this.#wait(this.#deps.settings.batch.poll_seconds * 1000);
        await this.#poll();
      }
    } catch (error) {
      if (this.#deps.signal.aborted && Context.current().cancellationDetails?.cancelRequested === true) {
        await this.#cancelled();
      }
      throw error;
    }
  }

  /** Cancels all open batches and takes what was done. The rest will be asked in another way, or not at all. */
  async end(patienceMs = Number.POSITIVE_INFINITY): Promise<void> {
    const until = performance.now() + patienceMs;
    for (const shard of this.#open) {
      await recoverShard(this.#deps, shard, { create: false });
      if (shard.batch !== undefined) await cancelBatch(this.#deps, shard.batch);
    }
    for (;;) {
      await this.#poll();
      if (this.#open.length === 0 || performance.now() >= until) return;
      await this.#wait(Math.min(cancelPollMs, this.#deps.settings.batch.poll_seconds * 1000));
    }
  }

  /** For operators. */
  note(): string {
    const batches = this.#open.map(({ name }) => this.#seen.get(name));
    const states = new Map<string, number>();
    for (const batch of batches) {
      const state = batch?.status ?? 'submitting';
      states.set(state, (states.get(state) ?? 0) + 1);
    }
    const list = [...states].map(([state, count]) => `${count} ${state}`).join(', ');
    const sum = (of: 'total' | 'completed') =>
      batches.reduce((total, batch) => total + (batch?.request_counts?.[of] ?? 0), 0);
    const queueMs = this.#notBefore - performance.now();
    const full = queueMs > 0 ? `; the batch queue is full, the next try in ${Math.ceil(queueMs / 1000)} s` : '';
    if (list === '') return `no batch stands at the server${full}`;
    return `batches: ${list}; ${sum('completed')} of ${sum('total')} requests in them are done${full}`;
  }

  get #open(): Shard[] {
    return this.#deps.batches.open;
  }

  /** Submits shards of those rows that are in no batch, until nothing more fits. */
  async #submit(missing: readonly Pair[]): Promise<void> {
    const standing = new Set(this.#open.flatMap(({ requests }) => requests.map(({ id }) => id)));
    let rows = missing.filter(({ id }) => !standing.has(id));
    while (rows.length > 0) {
      const room = this.#room();
      if (room === undefined) return;
      const name = `critic-${this.#deps.answersKey.slice(0, 12)}-${randomUUID()}`;
      const requests = await writeShard(this.#deps, name, rows, room);
      if (requests.length === 0) {
        await clearShards(this.#deps.folder);
        if (room.alone) throw this.#overBudget(rows);
        return;
      }
      await this.#deps.lease.check();
      await this.#deps.batches.record({ event: 'intended', shard: name, requests });
      const shard = this.#open.find((one) => one.name === name);
      if (shard !== undefined) await submitShard(this.#deps, shard);
      rows = rows.slice(requests.length);
    }
  }

  /** What one more shard may take, or undefined while the queue is nearly full. */
  #room(): ShardRoom | undefined {
    const { settings, log } = this.#deps;
    const open = this.#open;
    const alone = open.length === 0;
    const tokens = this.#queueLimit - open.reduce((sum, shard) => sum + shard.tokens, 0);
    // Many small batches would be slower than waiting for a place.
    if (performance.now() < this.#notBefore || (!alone && tokens < this.#queueLimit / 4)) return undefined;
    const { requests_per_batch: requests, shard_bytes: bytes } = settings.batch;
    return { usd: settings.budget_usd - log.spent - this.#reserved(), tokens, requests, bytes, alone };
  }

  /** USD of all requests in batches whose outcome is not known. */
  #reserved(): number {
    const { log } = this.#deps;
    const isOpen = (batch: string | undefined, request: string) => batch === undefined || !log.has(batch, request);
    return this.#open.reduce(
      (sum, { batch, requests }) =>
        requests.reduce((part, { request, usd }) => part + (isOpen(batch, request) ? usd : 0), sum),
      0,
    );
  }

  #overBudget(rows: readonly Pair[]): ApplicationFailure {
    const { settings, log } = this.#deps;
    const next = rows.slice(0, 1).map((row) => prepareQuestion(this.#deps, row, log.answers(row.id).length + 1).usd);
    return budgetExceeded({ settings, log, spending: { spent: log.spent } }, next[0] ?? 0);
  }

  async #wait(intervalMs: number): Promise<void> {
    await sleep(intervalMs * (0.8 + Math.random() * 0.4), undefined, { signal: this.#deps.signal });
  }

  /** Asks for every batch once. A server that is away is asked again at the next poll, a few times. */
  async #poll(): Promise<void> {
    await this.#deps.lease.check();
    for (const shard of this.#open) {
      if (shard.batch === undefined) continue;
      const reply = await this.#deps.client.retrieve(shard.batch, this.#deps.signal);
      if (reply.kind === 'unavailable') return this.#isAway(reply.detail);
      this.#seen.set(shard.name, reply.value);
      if (!over.includes(reply.value.status)) continue;
      try {
        await (reply.value.status === 'failed' ? this.#refused(shard, reply.value) : this.#collect(shard, reply.value));
      } catch (error) {
        if (!(error instanceof FileCutOffError)) throw error;
        return this.#isAway(error.message);
      }
    }
    this.#away = 0;
  }

  #isAway(detail: string): void {
    this.#away += 1;
    if (this.#away >= maxUnavailable) throw teacherAway(detail);
  }

  async #collect(shard: Shard, batch: Batch): Promise<void> {
    const { answered, failed, stop } = await collectShard(this.#deps, shard, batch);
    for (const { id } of answered) this.#answered(id);
    if (answered.length > 0) {
      this.#queueRefusals = 0;
      this.#queueLimit = Math.min(this.#deps.settings.batch.queued_tokens, Math.ceil(this.#queueLimit * 1.25));
    }
    if (stop !== undefined) throw stop;
    for (const { id, request } of failed) {
      const failures = (this.#failures.get(request) ?? 0) + 1;
      this.#failures.set(request, failures);
      if (failures >= maxUnavailable) throw teacherAway(`no answer about "${id}" from batch ${batch.id}`);
    }
  }

  /** Handles a batch that failed its validation: none of its requests was asked. */
  async #refused(shard: Shard, batch: Batch): Promise<void> {
    const { batches, client } = this.#deps;
    await batches.record({ event: 'collected', shard: shard.name, status: batch.status });
    await deleteFiles(this.#deps, batch);
    const errors = batch.errors?.data ?? [];
    const codes = errors.flatMap(({ code }) => code ?? []);
    if (codes.includes('token_limit_exceeded')) return this.#queueIsFull(shard);
    const [first] = errors;
    if (first === undefined) {
      this.#badFiles += 1;
      if (this.#badFiles >= maxUnavailable) throw teacherAway(`batch ${batch.id} failed and does not say why`);
      return;
    }
    const line = typeof first.line === 'number' ? ` (line ${first.line})` : '';
    const said = client.quotable(`${first.code ?? ''}: ${first.message ?? ''}`) + line;
    const isQuota = codes.some((code) => quotaCodes.has(code));
    const cure = isQuota ? ': add credit or raise the account’s limit, then answer "retry"' : '';
    throw refuse(
      isQuota ? 'QuotaExhausted' : 'TeacherRefused',
      `the teacher refused batch ${batch.id} of ${shard.requests.length} requests (${said})${cure}`,
    );
  }

  /** OpenAI says so only when the batch is looked at. Then half of it is tried, or the same later if it cannot be halved. */
  #queueIsFull(shard: Shard): void {
    const standing = this.#open.reduce((sum, { tokens }) => sum + tokens, 0);
    this.#queueLimit = Math.max(1, Math.floor((standing + shard.tokens) / 2));
    this.#queueRefusals += 1;
    const waitMs = this.#deps.settings.batch.poll_seconds * 1000 * 2 ** (this.#queueRefusals - 1);
    this.#notBefore = performance.now() + Math.min(longestQueueWaitMs, waitMs);
    activityLog.warn('the batch queue is full', { shard: shard.name, tokens: shard.tokens, limit: this.#queueLimit });
  }

  /** It has a signal of its own, since the activity's is aborted. Whatever goes wrong, the cancellation itself is thrown on. */
  async #cancelled(): Promise<void> {
    this.#deps = { ...this.#deps, signal: new AbortController().signal };
    try {
      await this.end(cancelPatienceMs);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      activityLog.warn('batches may go on at the server', { why, batches: this.#open.map(({ batch }) => batch) });
    }
  }
}
