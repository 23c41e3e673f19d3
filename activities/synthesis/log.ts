/**
 * Synthesis log: what was asked of the teacher, what came back and what it cost, one event a line in `answers.jsonl`.
 * Answers are kept as they came. Which of them are good is judged anew each time, so a changed filter costs nothing.
 *
 * `asked` is on disk before the request is sent, and the outcome before it counts. kill -9 in between leaves an `asked` without an
 * outcome, at most for the requests in flight. Each is named by its key and asked again under the same key. What it may have cost
 * counts as spent. Requests of a batch have no `asked`: the batch log (`batches/log.ts`) tells what is in batches.
 */
import * as z from 'zod';
import { addUsage, noUsage, type Usage } from '../../domain/estimate/budget.ts';
import type { Critique } from '../../domain/critique/prompt.ts';
import { RowLog } from '../store/row-log.ts';
import { critiquePartsSchema, unusableReasons } from '../teacher/answer.ts';

const count = z.int().min(0);
const usage = z.object({ input: count, cachedInput: count, output: count });
const named = { id: z.string(), try: z.int().min(1), request: z.string(), usd: z.number().min(0), at: z.string() };
/** `batch`: the batch that brought the outcome. Absent if the request was sent by itself, after its `asked`. */
const common = { ...named, batch: z.string().exactOptional() };

const eventSchema = z.discriminatedUnion('event', [
  /** The request is about to be sent. `usd` is what was reserved. */
  z.object({ event: z.literal('asked'), ...named }),
  z.object({ event: z.literal('answered'), ...common, critique: critiquePartsSchema, model: z.string(), usage }),
  z.object({
    event: z.literal('unusable'),
    ...common,
    reason: z.enum(unusableReasons),
    detail: z.string(),
    model: z.string(),
    usage,
  }),
  /** The request was refused before any work was done. `usd` is 0. */
  z.object({ event: z.literal('unpaid'), ...common, detail: z.string() }),
  /** There is no answer, and it may have been paid. `usd` is what was reserved. */
  z.object({ event: z.literal('lost'), ...common, detail: z.string() }),
]);
export type SynthesisEvent = z.output<typeof eventSchema>;

/** One paid answer of a row. */
export type Answer =
  | { try: number; kind: 'critique'; critique: Critique; model: string; usage: Usage }
  | { try: number; kind: 'unusable'; reason: (typeof unusableReasons)[number]; detail: string };

/** A request that may have been paid for and brought nothing. */
export interface UncertainRequest {
  id: string;
  request: string;
  usd: number;
}

export class SynthesisLog {
  readonly #log: RowLog<SynthesisEvent> | undefined;
  readonly #answers = new Map<string, Answer[]>();
  readonly #open = new Map<string, UncertainRequest>();
  readonly uncertain: UncertainRequest[] = [];
  readonly counts = { asked: 0, answered: 0, unusable: 0, unpaid: 0, lost: 0 };
  usage = noUsage;
  /** The part of all this that batches brought. USD as paid. */
  batched = { answers: 0, usage: noUsage, usd: 0 };
  readonly #outcomes = new Set<string>();
  #settled = 0;

  private constructor(log?: RowLog<SynthesisEvent>) {
    this.#log = log;
  }

  static async open(path: string): Promise<{ log: SynthesisLog; unreadable: number; tornBytes: number }> {
    const { log: rows, rows: events, unreadable, tornBytes } = await RowLog.open(path, eventSchema);
    const log = new SynthesisLog(rows);
    log.#replay(events);
    return { log, unreadable, tornBytes };
  }

  /** What a log says at this moment, only for reading: somebody may be writing it. Empty if there is none. */
  static async read(path: string): Promise<SynthesisLog> {
    const log = new SynthesisLog();
    log.#replay(await RowLog.read(path, eventSchema));
    return log;
  }

  /** Resolves when the event is on disk. Only then it counts. */
  async record(event: SynthesisEvent): Promise<void> {
    if (this.#log === undefined) throw new Error('this log was opened for reading alone');
    await this.#log.append(event);
    this.#apply(event);
  }

  /** Paid answers of a row, in order. */
  answers(id: string): readonly Answer[] {
    return this.#answers.get(id) ?? [];
  }

  /** Is the outcome of this request in this batch known? */
  has(batch: string, request: string): boolean {
    return this.#outcomes.has(`${batch}/${request}`);
  }

  /** USD of all settled requests and of those that may have been paid. Requests in flight are not in it. */
  get spent(): number {
    return this.#settled + this.uncertain.reduce((sum, { usd }) => sum + usd, 0);
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #replay(events: readonly SynthesisEvent[]): void {
    for (const event of events) this.#apply(event);
    // It was asked by a process that is gone, so no outcome will come.
    for (const request of this.#open.values()) this.#doubt(request);
    this.#open.clear();
  }

  #apply(event: SynthesisEvent): void {
    const { id, request, usd } = event;
    this.counts[event.event] += 1;
    const before = this.#open.get(request);
    if (event.event !== 'asked' && event.batch !== undefined) {
      this.counts.asked += 1;
      this.#outcomes.add(`${event.batch}/${request}`);
    } else {
      this.#open.delete(request);
    }
    switch (event.event) {
      case 'asked':
        if (before !== undefined) this.#doubt(before);
        this.#open.set(request, { id, request, usd });
        return;
      case 'lost':
        this.#doubt({ id, request, usd });
        return;
      case 'unpaid':
        return;
      case 'answered':
      case 'unusable':
        this.#settled += usd;
        this.usage = addUsage(this.usage, event.usage);
        if (event.batch !== undefined) this.#addBatched(event);
        this.#addAnswer(event);
    }
  }

  #addAnswer(event: Extract<SynthesisEvent, { event: 'answered' | 'unusable' }>): void {
    const known = this.#answers.get(event.id) ?? [];
    // A second answer to one try can only be from a second process. The first one counts.
    if (known.some((answer) => answer.try === event.try)) return;
    const answer: Answer =
      event.event === 'answered'
        ? { try: event.try, kind: 'critique', critique: event.critique, model: event.model, usage: event.usage }
        : { try: event.try, kind: 'unusable', reason: event.reason, detail: event.detail };
    this.#answers.set(event.id, [...known, answer]);
  }

  #addBatched({ usage: tokens, usd }: Extract<SynthesisEvent, { event: 'answered' | 'unusable' }>): void {
    const { answers, usage: before, usd: paid } = this.batched;
    this.batched = { answers: answers + 1, usage: addUsage(before, tokens), usd: paid + usd };
  }

  #doubt(request: UncertainRequest): void {
    this.uncertain.push(request);
  }
}
