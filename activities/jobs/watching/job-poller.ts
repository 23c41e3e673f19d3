/**
 * The job poller: one for each process (docs/CONTRACTS.md §4). All watchers ask it, and it asks Slurm once for all of them. While the
 * controller is unreachable, it backs off with jitter and says `unknown`, never `failed`.
 *
 * The cost of a poll does not grow with the cluster, and hardly with the number of jobs. v0.0.40+ has one request for the states of the
 * watched jobs. What states do not tell is asked job by job, and so is v0.0.38. All jobs of everybody are listed (3 to 8 KB each) only if
 * more than twenty must be asked for at once. A running job is looked at rarely: its outcome file tells its end, so a poll finds only a
 * lost node. `update_time` does not help: a server answers it with all jobs as soon as any job of anybody has changed.
 *
 * A job of another name under a watched id is not ours: a controller that lost its state gives ids again.
 */
import { type JobStatus, type SlurmClient, SlurmError, type SlurmJob } from 'slurm-rest-client';
import { isFinal, pauseMs, type PolledState } from './polled-state.ts';
import { backoffMs } from '../../backoff.ts';

type Poll = Pick<SlurmClient, 'connect' | 'jobStates' | 'getJob' | 'listJobs' | 'accountingJobs'>;

/** A job that was just submitted usually starts within a second, so the first look after this time finds most of them running. */
const firstLookMs = 1_500;
const hurryMs = 1_000;
/** What states do not say (a pending job's reason, whose job an id is) is asked again when it is this old. */
const detailsMs = 60_000;
/** That is done this often, for one job in sixteen, the oldest first: for one of ten jobs, for forty of a thousand. */
const refreshMs = 120_000;
const refreshShare = 16;
const mostRefreshed = 40;
/** If more jobs than this must be asked for at once, all jobs are listed. */
const fewJobs = 20;
/** v0.0.38: at most this many jobs in a turn, and turns this far apart unless hurried: at most 60 requests a minute. */
const jobsPerTurn = 5;
const turnMs = 5_000;

export interface PollerOptions {
  /** Pause between looks at a pending job, ms. With v0.0.38, asked job by job, each of ten jobs is looked at every 7.5 intervals. */
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
  /** When it is to be looked at next, ms epoch. */
  dueAt: number;
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
  #refreshedAt = 0;

  constructor(slurm: Poll, options: PollerOptions) {
    this.#slurm = slurm;
    this.#options = { now: Date.now, random: Math.random, ...options };
  }

  /**
   * Registers interest in the job of this id *and* name. The first answer comes with the next poll, which is brought forward. A watcher
   * that comes back before the next poll finds what was known.
   */
  watch(id: string, name: string): JobWatch {
    const key = `${id} ${name}`;
    const state: PolledState = { kind: 'unknown', why: 'Slurm was not asked about it yet' };
    const watched = this.#watched.get(key) ?? { id, name, watchers: 0, state, dueAt: 0, detailsAt: 0, recordAt: 0 };
    watched.watchers += 1;
    this.#watched.set(key, watched);
    if (watched.state.kind !== 'known') {
      watched.dueAt = 0;
      this.#bringForward(firstLookMs);
    }
    return {
      state: () => watched.state,
      hurry: () => {
        watched.dueAt = 0;
        this.#bringForward(hurryMs);
      },
      close: () => {
        watched.watchers -= 1;
      },
    };
  }

  /** Looks at all jobs within a second. It is cheap to call, and polls at most once a second. */
  hurry(): void {
    for (const watched of this.#watched.values()) watched.dueAt = 0;
    this.#bringForward(hurryMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  /** A poll that is due earlier is kept, and so is a pause because the controller does not answer. */
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
    this.#dueAt = this.#failures > 0 ? now + this.#backoff() : Math.min(this.#dueAt, this.#nextTurn(now));
    this.#schedule(this.#dueAt - now);
  }

  #backoff(): number {
    const { intervalMs, maxBackoffMs, random } = this.#options;
    return backoffMs(this.#failures, { baseMs: intervalMs, longestMs: maxBackoffMs, random });
  }

  #nextTurn(now: number): number {
    const first = Math.min(...[...this.#watched.values()].map(({ dueAt }) => dueAt));
    return Math.max(first, now + Math.min(turnMs, this.#options.intervalMs));
  }

  #jitter(): number {
    return 0.8 + 0.4 * this.#options.random();
  }

  async #poll(): Promise<void> {
    for (const [key, { watchers }] of this.#watched) if (watchers === 0) this.#watched.delete(key);
    const asked = [...this.#watched.values()];
    if (asked.length === 0) return;
    try {
      const { apiVersion } = await this.#slurm.connect();
      const oneByOne = apiVersion === 'v0.0.38';
      const looked = oneByOne ? await this.#askEach(asked) : await this.#askStates(asked);
      this.#failures = 0;
      // Jobs that are asked for one by one are spread. Jobs that are asked for together stay together.
      const together = this.#jitter();
      for (const watched of looked) {
        watched.dueAt =
          this.#options.now() +
          pauseMs(watched.state, this.#options.intervalMs, oneByOne ? asked.length : 0) *
            (oneByOne ? this.#jitter() : together);
      }
      // Not awaited: a slurmdbd that hangs must not delay what slurmctld says of the others.
      void this.#askAccounting(asked);
    } catch (error) {
      this.#failures += 1;
      const why = error instanceof Error ? error.message : String(error);
      for (const watched of asked) watched.state = { kind: 'unknown', why };
    }
  }

  /** Looks at the jobs that are due, or at all if many are due. Returns those that it looked at. */
  async #askEach(asked: readonly Watched[]): Promise<readonly Watched[]> {
    const due = asked.filter(({ dueAt }) => dueAt <= this.#options.now());
    const many = due.length > fewJobs;
    const looked = many ? asked : due.toSorted((a, b) => a.dueAt - b.dueAt).slice(0, jobsPerTurn);
    const { found, lost } = await this.#details(new Set(looked.map(({ id }) => id)), many);
    const answered = looked.filter(({ id }) => !lost.has(id));
    for (const watched of answered) this.#settle(watched, found.get(watched.id));
    return answered;
  }

  /** Looks at all jobs: their states at once, and the details of those that are new, changed, or next to be refreshed. */
  async #askStates(asked: readonly Watched[]): Promise<readonly Watched[]> {
    const byId = Map.groupBy(asked, ({ id }) => id);
    const states = await this.#slurm.jobStates([...byId.keys()]);
    const found = new Map<string, SlurmJob>();
    const open = new Set<string>();
    const stale: Watched[] = [];
    for (const status of states) {
      const same = byId.get(status.id) ?? [];
      const known = same.map((watched) => unchanged(watched, status)).find((job) => job !== undefined);
      if (known === undefined) open.add(status.id);
      else found.set(status.id, known);
      if (known !== undefined)
        stale.push(...same.filter(({ detailsAt }) => this.#options.now() - detailsAt >= detailsMs));
    }
    const many = open.size > fewJobs;
    for (const id of this.#refreshed(stale, asked.length)) open.add(id);
    const details = await this.#details(open, many, true);
    for (const watched of asked) {
      const { id } = watched;
      if (open.has(id)) watched.detailsAt = this.#options.now();
      if (!details.lost.has(id)) this.#settle(watched, open.has(id) ? details.found.get(id) : found.get(id));
    }
    return asked;
  }

  #refreshed(stale: readonly Watched[], watched: number): string[] {
    if (stale.length === 0 || this.#options.now() - this.#refreshedAt < refreshMs) return [];
    this.#refreshedAt = this.#options.now();
    const count = Math.min(mostRefreshed, Math.ceil(watched / refreshShare));
    return stale
      .toSorted((a, b) => a.detailsAt - b.detailsAt)
      .slice(0, count)
      .map(({ id }) => id);
  }

  /**
   * Whole jobs by id, without those that slurmctld does not know. `lost`: jobs without an answer. Throws if there is no answer at all, unless
   * the controller `hasAnswered` in this poll already: then one job that cannot be read says nothing about the others.
   */
  async #details(
    ids: ReadonlySet<string>,
    many: boolean,
    hasAnswered = false,
  ): Promise<{ found: Map<string, SlurmJob>; lost: Set<string> }> {
    const lost = new Set<string>();
    const ask = async (id: string): Promise<SlurmJob | undefined> =>
      this.#slurm.getJob(id).catch((error: unknown) => {
        lost.add(id);
        if (!(error instanceof SlurmError) || (!hasAnswered && lost.size === ids.size)) throw error;
        return undefined;
      });
    const jobs = many ? await this.#slurm.listJobs() : await Promise.all([...ids].map(ask));
    const found = new Map<string, SlurmJob>();
    for (const job of jobs) if (job !== undefined && ids.has(job.id)) found.set(job.id, job);
    return { found, lost };
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
    // Whatever it was: nobody awaits this, and a rejection would end the worker.
    const rows = await this.#slurm.accountingJobs({ id: watched.id }).catch(() => []);
    const last = rows.filter(({ name }) => name === watched.name).at(-1);
    if (last !== undefined && isFinal(last) && watched.state.kind === 'absent') watched.state.gone = true;
  }
}

/** What was known before, if it still holds. */
function unchanged({ state }: Watched, status: JobStatus): SlurmJob | undefined {
  if (state.kind !== 'known') return undefined;
  const { job } = state;
  return job.state === status.state && job.flags.join() === status.flags.join() ? job : undefined;
}

export interface JobWatch {
  state(): PolledState;
  /** Looks at this job within a second, e.g. because its outcome file appeared. It is cheap to call. */
  hurry(): void;
  close(): void;
}
