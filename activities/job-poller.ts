/**
 * The job poller: one per cluster and process (contracts.md §4). All watchers ask it; it asks Slurm once for all of them,
 * backs off with jitter while the controller is unreachable, and says `unknown` meanwhile, never `failed`.
 */
import type { JobStatus, SlurmClient, SlurmJob } from 'slurm-rest-client';

/** What the newest poll says about one job. */
export type PolledState =
  | { kind: 'known'; job: SlurmJob }
  /** The controller answered and does not know the id. `healthySince`: since when it has said so without a break, ms epoch. */
  | { kind: 'absent'; healthySince: number }
  /** No answer since `since` (ms epoch): unknown is not failed. */
  | { kind: 'unknown'; since: number; why: string };

type Poll = Pick<SlurmClient, 'jobStates' | 'getJob'>;

export interface PollerOptions {
  intervalMs: number;
  /** Longest pause between polls while the controller does not answer. */
  maxBackoffMs: number;
  now?: () => number;
  random?: () => number;
}

interface Watched {
  watchers: number;
  state: PolledState;
  listeners: Set<() => void>;
}

export class JobPoller {
  readonly #slurm: Poll;
  readonly #options: Required<PollerOptions>;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #failures = 0;
  /** Polls sent, for the bench. */
  polls = 0;

  constructor(slurm: Poll, options: PollerOptions) {
    this.#slurm = slurm;
    this.#options = { now: Date.now, random: Math.random, ...options };
  }

  /** Registers interest in a job. The first answer comes with the next poll, which is brought forward. */
  watch(jobId: string): JobWatch {
    const watched: Watched = this.#watched.get(jobId) ?? {
      watchers: 0,
      state: { kind: 'unknown', since: this.#options.now(), why: 'not asked yet' },
      listeners: new Set(),
    };
    watched.watchers += 1;
    this.#watched.set(jobId, watched);
    this.hurry();
    return {
      state: () => watched.state,
      onChange: (listener) => {
        watched.listeners.add(listener);
        return () => watched.listeners.delete(listener);
      },
      close: () => {
        watched.watchers -= 1;
        if (watched.watchers === 0) this.#watched.delete(jobId);
      },
    };
  }

  /** Polls soon, e.g. because an outcome file appeared. Cheap to call: a poll under way or due within 250 ms serves all. */
  hurry(): void {
    if (this.#polling !== undefined || this.#failures > 0) return;
    this.#schedule(250);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll().finally(() => {
        this.#polling = undefined;
        if (this.#watched.size > 0) this.#schedule(this.#nextDelay());
      });
    }, delayMs);
  }

  #nextDelay(): number {
    const { intervalMs, maxBackoffMs, random } = this.#options;
    const base = Math.min(maxBackoffMs, intervalMs * 2 ** Math.min(this.#failures, 6));
    return base * (0.8 + 0.4 * random());
  }

  async #poll(): Promise<void> {
    const ids = [...this.#watched.keys()];
    if (ids.length === 0) return;
    this.polls += 1;
    try {
      const states = await this.#slurm.jobStates(ids);
      this.#failures = 0;
      for (const id of ids)
        this.#settle(
          id,
          await this.#details(
            id,
            states.find((status) => status.id === id),
          ),
        );
    } catch (error) {
      this.#failures += 1;
      const why = error instanceof Error ? error.message : String(error);
      for (const id of ids) this.#unknown(id, why);
    }
  }

  /** One more request for a job whose state changed, and for a pending one (its reason may); none for the others. */
  async #details(id: string, status: JobStatus | undefined): Promise<SlurmJob | undefined> {
    if (status === undefined) return undefined;
    const before = this.#watched.get(id)?.state;
    const same = (job: SlurmJob) =>
      job.state === status.state && job.state !== 'PENDING' && job.flags.join() === status.flags.join();
    if (before?.kind === 'known' && same(before.job)) return before.job;
    return this.#slurm.getJob(id);
  }

  #settle(id: string, job: SlurmJob | undefined): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    const before = watched.state;
    if (job !== undefined) watched.state = { kind: 'known', job };
    else if (before.kind !== 'absent') watched.state = { kind: 'absent', healthySince: this.#options.now() };
    for (const listener of watched.listeners) listener();
  }

  #unknown(id: string, why: string): void {
    const watched = this.#watched.get(id);
    if (watched === undefined || watched.state.kind === 'unknown') return;
    watched.state = { kind: 'unknown', since: this.#options.now(), why };
    for (const listener of watched.listeners) listener();
  }
}

export interface JobWatch {
  state(): PolledState;
  onChange(listener: () => void): () => void;
  close(): void;
}
