/**
 * Synthesis meter: what an operator sees of a running synthesis. It is sent as heartbeat details once a second, even if nothing
 * happens: by heartbeats a cancellation reaches the activity.
 */
import type { Context } from '@temporalio/activity';
import type { StageProgress } from '../../domain/jobs/progress.ts';

const intervalMs = 1000;

interface Round {
  total: number;
  done: number;
  usd: () => number;
  /** What numbers do not say. Undefined if there is nothing to say. */
  note: () => string | undefined;
}

export class SynthesisMeter {
  readonly #context: Context;
  readonly #timer: NodeJS.Timeout;
  #round: Round | undefined;
  #before = 'reading what was answered before';
  #done = 0;
  #failed = 0;
  #startedAt = 0;
  #doneAtStart = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#send();
    this.#timer = setInterval(() => this.#send(), intervalMs);
  }

  /** What is done or waited for before the first round. */
  before(note: string): void {
    this.#before = note;
  }

  /** A round begins with `done` rows that need no asking. */
  begin(round: Round): void {
    this.#round = round;
    this.#done = round.done;
    this.#failed = 0;
    this.#doneAtStart = round.done;
    this.#startedAt = performance.now();
    this.#send();
  }

  /** A row ended. */
  ended(how: 'kept' | 'set-aside'): void {
    this.#done += 1;
    if (how === 'set-aside') this.#failed += 1;
  }

  stop(): void {
    this.#send();
    clearInterval(this.#timer);
  }

  #send(): void {
    this.#context.heartbeat(this.#progress());
  }

  #progress(): StageProgress {
    const round = this.#round;
    if (round === undefined) return { state: 'waiting', note: this.#before };
    const note = round.note();
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const rate = seconds > 0 ? (this.#done - this.#doneAtStart) / seconds : 0;
    return {
      state: 'asking',
      done: this.#done,
      total: round.total,
      unit: 'rows',
      failed: this.#failed,
      usd: round.usd(),
      ...(rate > 0 ? { perMinute: rate * 60, etaSeconds: Math.round((round.total - this.#done) / rate) } : {}),
      ...(note === undefined ? {} : { note }),
    };
  }
}
