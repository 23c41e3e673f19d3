/**
 * The job poller: one per cluster and process (contracts.md §4). All watchers ask it; it asks Slurm once for all of them,
 * backs off with jitter while the controller is unreachable, and says `unknown` meanwhile, never `failed`.
 *
 * What a poll costs does not grow with the number of jobs: one request for all states, at most one more for what the states
 * leave open, and at most one to slurmdbd, for a job that slurmctld does not know. A job of another name under a watched id
 * is not ours: a controller that lost its state gives ids anew.
 */
import { isTerminal, type JobStatus, type SlurmClient, SlurmError, type SlurmJob } from 'slurm-rest-client';

/** What the newest poll says about one job. */
export type PolledState =
  | { kind: 'known'; job: SlurmJob }
  /**
   * The controller answered and does not know the job. `healthySince`: since when it has said so without a break, ms epoch.
   * `gone`: it is certain that the job is over: slurmctld knows another one under the id, or slurmdbd has the job's end.
   */
  | { kind: 'absent'; healthySince: number; gone: boolean }
  /** No answer since `since` (ms epoch): unknown is not failed. */
  | { kind: 'unknown'; since: number; why: string };

type Poll = Pick<SlurmClient, 'jobStates' | 'getJob' | 'listJobs' | 'accountingJobs'>;

/** A job that was just submitted starts within a second or so: the first look, this late, mostly finds it running. */
const firstLookMs = 1_500;
const hurryMs = 1_000;
/** What states do not say (a pending job's reason, whose job an id is) is asked again when it is this old. */
const detailsMs = 60_000;

export interface PollerOptions {
  intervalMs: number;
  /** Longest pause between polls while the controller does not answer. */
  maxBackoffMs: number;
  now?: () => number;
  random?: () => number;
}

interface Watched {
  id: string;
  name: string;
  watchers: number;
  state: PolledState;
  /** When more than its state was last asked for, ms epoch. */
  detailsAt: number;
  /** When slurmdbd was last asked about it, ms epoch. */
  recordAt: number;
}

export class JobPoller {
  readonly #slurm: Poll;
  readonly #options: Required<PollerOptions>;
  /** By id and name. */
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #polling = false;
  #failures = 0;

  constructor(slurm: Poll, options: PollerOptions) {
    this.#slurm = slurm;
    this.#options = { now: Date.now, random: Math.random, ...options };
  }

  /**
   * Registers interest in the job of this id *and* name. The first answer comes with the next poll, which is brought forward. One
   * who comes back before the next poll finds what was known.
   */
  watch(id: string, name: string): JobWatch {
    const key = `${id} ${name}`;
    const state: PolledState = { kind: 'unknown', since: this.#options.now(), why: 'not asked yet' };
    const watched = this.#watched.get(key) ?? { id, name, watchers: 0, state, detailsAt: 0, recordAt: 0 };
    watched.watchers += 1;
    this.#watched.set(key, watched);
    if (watched.state.kind !== 'known') this.#bringForward(firstLookMs);
    return {
      state: () => watched.state,
      close: () => {
        watched.watchers -= 1;
      },
    };
  }

  /** Polls within a second, e.g. because an outcome file appeared. Cheap to call, and never faster than once a second. */
  hurry(): void {
    this.#bringForward(hurryMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  /** A poll that is due earlier stays; so does a pause because the controller does not answer. */
  #bringForward(delayMs: number): void {
    if (this.#failures > 0 && this.#dueAt !== Infinity) return;
    const at = this.#options.now() + delayMs;
    if (this.#dueAt <= at) return;
    this.#dueAt = at;
    if (!this.#polling) this.#schedule(delayMs);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#turn(), delayMs);
  }

  async #turn(): Promise<void> {
    this.#dueAt = Infinity;
    this.#polling = true;
    await this.#poll();
    this.#polling = false;
    if (this.#watched.size === 0) return;
    const now = this.#options.now();
    // Someone may have asked for an earlier poll while this one was under way.
    this.#dueAt = this.#failures > 0 ? now + this.#pause() : Math.min(this.#dueAt, now + this.#pause());
    this.#schedule(this.#dueAt - now);
  }

  /** Until the next poll, ms. */
  #pause(): number {
    const { intervalMs, maxBackoffMs, random } = this.#options;
    const base = Math.min(maxBackoffMs, intervalMs * 2 ** Math.min(this.#failures, 6));
    return base * (0.8 + 0.4 * random());
  }

  async #poll(): Promise<void> {
    for (const [key, { watchers }] of this.#watched) if (watchers === 0) this.#watched.delete(key);
    const asked = [...this.#watched.values()];
    if (asked.length === 0) return;
    try {
      const found = await this.#ask(asked);
      this.#failures = 0;
      for (const watched of asked) this.#settle(watched, found.get(watched.id));
      // Not awaited: a slurmdbd that hangs must not hold up what slurmctld says of the others.
      void this.#askAccounting(asked);
    } catch (error) {
      this.#failures += 1;
      const why = error instanceof Error ? error.message : String(error);
      for (const watched of asked) {
        if (watched.state.kind !== 'unknown') watched.state = { kind: 'unknown', since: this.#options.now(), why };
      }
    }
  }

  /** Jobs that the controller knows, by id. States that came without details and are new cost one more request in all. */
  async #ask(asked: readonly Watched[]): Promise<Map<string, SlurmJob>> {
    const states = await this.#slurm.jobStates([...new Set(asked.map(({ id }) => id))]);
    const found = new Map<string, SlurmJob>();
    const open = new Set<string>();
    for (const status of states) {
      const same = asked.filter(({ id }) => id === status.id).map((watched) => this.#unchanged(watched, status));
      const job = status.details ?? same.find((known) => known !== undefined);
      if (job === undefined) open.add(status.id);
      else found.set(status.id, job);
    }
    if (open.size === 0) return found;
    const [first = ''] = open;
    const jobs = open.size === 1 ? [await this.#slurm.getJob(first)] : await this.#slurm.listJobs();
    for (const job of jobs) if (job !== undefined && open.has(job.id)) found.set(job.id, job);
    for (const watched of asked) if (open.has(watched.id)) watched.detailsAt = this.#options.now();
    return found;
  }

  /** What was known before, if it still holds. */
  #unchanged(watched: Watched, status: JobStatus): SlurmJob | undefined {
    if (watched.state.kind !== 'known' || this.#options.now() - watched.detailsAt >= detailsMs) return undefined;
    const { job } = watched.state;
    return job.state === status.state && job.flags.join() === status.flags.join() ? job : undefined;
  }

  #settle(watched: Watched, job: SlurmJob | undefined): void {
    if (job?.name === watched.name) {
      watched.state = { kind: 'known', job };
      return;
    }
    const before = watched.state.kind === 'absent' ? watched.state : { healthySince: this.#options.now(), gone: false };
    watched.state = { kind: 'absent', healthySince: before.healthySince, gone: before.gone || job !== undefined };
  }

  /** Asks slurmdbd about the absent job that has waited longest. If it does not answer, the absence goes on counting. */
  async #askAccounting(asked: readonly Watched[]): Promise<void> {
    const due = this.#options.now() - detailsMs;
    const waiting = asked.filter(({ state, recordAt }) => state.kind === 'absent' && !state.gone && recordAt <= due);
    const watched = waiting.toSorted((a, b) => a.recordAt - b.recordAt)[0];
    if (watched === undefined) return;
    watched.recordAt = this.#options.now();
    const rows = await this.#slurm.accountingJobs({ id: watched.id }).catch((error: unknown) => {
      if (error instanceof SlurmError) return [];
      throw error;
    });
    const last = rows.filter(({ name }) => name === watched.name).at(-1);
    if (last !== undefined && isFinal(last) && watched.state.kind === 'absent') watched.state.gone = true;
  }
}

/**
 * Does this row of slurmdbd end its job for good? PREEMPTED and NODE_FAIL can end an earlier life of a requeued one, and a
 * CANCELLED by nobody was ended in the books alone: its node may still be busy. Those wait for the absence to last.
 */
function isFinal(row: SlurmJob): boolean {
  if (row.state === 'CANCELLED') return row.cancelledBy !== undefined && isTerminal(row);
  return row.state !== 'PREEMPTED' && row.state !== 'NODE_FAIL' && isTerminal(row);
}

export interface JobWatch {
  state(): PolledState;
  close(): void;
}
