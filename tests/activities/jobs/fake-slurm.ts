/**
 * A Slurm in memory: slurmctld and slurmdbd as far as activities ask them, and nodes that run the job script's first act. It
 * does what it is told to and no more: a test schedules, ends and forgets jobs. A request can get another fate than an answer.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CancelResult,
  isTerminal,
  type JobStatus,
  type JobSubmission,
  SlurmError,
  type SlurmErrorDetails,
  type SlurmJob,
  type SlurmServer,
  type SubmittedJob,
} from 'slurm-rest-client';
import { attemptFiles } from '../../../domain/names.ts';
import { effect } from './moments.ts';

export const job = (id: string, rest: Partial<SlurmJob> = {}): SlurmJob => ({
  id,
  name: `job-${id}`,
  state: 'RUNNING',
  flags: [],
  source: 'slurmctld',
  userName: 'critic',
  account: undefined,
  partition: undefined,
  qos: undefined,
  submitTime: undefined,
  startTime: undefined,
  endTime: undefined,
  preemptTime: undefined,
  reason: '',
  stateDescription: '',
  requeue: false,
  nodes: [],
  failedNode: undefined,
  cancelledBy: undefined,
  workDirectory: undefined,
  standardOutput: undefined,
  standardError: undefined,
  timeLimitMinutes: undefined,
  restartCount: 0,
  comment: '',
  exit: { kind: 'none', code: undefined, signal: undefined },
  derivedExit: { kind: 'none', code: undefined, signal: undefined },
  ...rest,
});

const unavailable: SlurmErrorDetails = { kind: 'unavailable', delivery: 'not-delivered' };

/** What becomes of one submission instead of a clean answer. */
export interface Fate {
  /** Its job is created: at once, after so many ms, or (undefined) never. */
  createdAfterMs?: number;
  error: SlurmErrorDetails;
}

export class FakeSlurm {
  /** What slurmctld knows. */
  jobs: SlurmJob[] = [];
  /** What slurmdbd has; undefined: it does not answer. */
  records: SlurmJob[] | undefined = [];
  /** How slurmdbd fails where it does. */
  silence: SlurmErrorDetails = unavailable;
  /** Requests so far, in words. */
  asked: string[] = [];
  down = false;
  /** An id whose answers are lost. */
  lost = '';
  /** Of the next submissions, one each. */
  readonly fates: Fate[] = [];
  /** Ids of jobs that took their attempt's claim and did its work. */
  readonly worked: string[] = [];
  /** What TERM and KILL do to a job that is there; by default it ends. */
  onSignal: (id: string, signal: 'TERM' | 'KILL') => CancelResult['outcome'] | void = (id) => this.end(id, 'CANCELLED');
  /** What a job does that is asked for a checkpoint (USR2); by default nothing. */
  onAsk: (id: string) => void = () => undefined;
  readonly #isOld: boolean;
  #nextId = 7;

  /** 22.05 (`isOld`) has no states without details, later releases do. */
  constructor(isOld = false) {
    this.#isOld = isOld;
  }

  async connect(): Promise<SlurmServer> {
    return { apiVersion: this.#isOld ? 'v0.0.38' : 'v0.0.42', release: '', cluster: '' };
  }

  async submit({ name, currentWorkingDirectory: workDirectory }: JobSubmission): Promise<SubmittedJob> {
    await effect('POST');
    this.#count('submit');
    const fate = this.fates.shift();
    const create = () => this.create(name, workDirectory);
    if (fate === undefined) return { jobId: create().id, warnings: [], message: '' };
    if (fate.createdAfterMs === 0) create();
    else if (fate.createdAfterMs !== undefined) setTimeout(create, fate.createdAfterMs);
    throw new SlurmError('as the test says', fate.error);
  }

  async jobStates(ids: readonly string[]): Promise<JobStatus[]> {
    if (this.#isOld) throw new Error('v0.0.38 lists all jobs for this: the poller must not ask');
    this.#count(`states of ${ids.length}`);
    const wanted = new Set(ids);
    const found = this.jobs.filter(({ id }) => wanted.has(id));
    return found.map((one) => ({ id: one.id, state: one.state, flags: one.flags }));
  }

  async getJob(id: string): Promise<SlurmJob | undefined> {
    this.#count(`job ${id}`);
    if (id === this.lost) throw new SlurmError('reset', unavailable);
    return this.jobs.find((one) => one.id === id);
  }

  async listJobs(): Promise<SlurmJob[]> {
    this.#count('list');
    return [...this.jobs];
  }

  async accountingJobs({ id }: { id: string }): Promise<SlurmJob[]> {
    this.#count(`record of ${id}`);
    return this.#recorded().filter((one) => one.id === id);
  }

  async accountingJobsByName(name: string): Promise<SlurmJob[]> {
    this.#count(`records of ${name}`);
    return this.#recorded().filter((one) => one.name === name);
  }

  cancel(id: string): Promise<CancelResult> {
    return this.#signal(id, 'TERM', `cancel ${id}`);
  }

  async signal(id: string, signal: string): Promise<CancelResult> {
    if (signal === 'USR2') {
      await effect(`USR2 ${id}`);
      this.#count(`USR2 ${id}`);
      this.onAsk(id);
      return { outcome: 'accepted', number: undefined, message: '', warnings: [] };
    }
    return this.#signal(id, signal === 'KILL' ? 'KILL' : 'TERM', `${signal} ${id}`);
  }

  /** A job of our user in the queue. */
  create(name: string, workDirectory = '/nowhere'): SlurmJob {
    const created = job(String(this.#nextId), { name, workDirectory, state: 'PENDING', reason: 'Priority' });
    this.#nextId += 1;
    this.jobs.push(created);
    this.records?.push({ ...created, source: 'slurmdbd', reason: '' });
    return created;
  }

  /**
   * Nodes take what is pending, of one name one at a time (`dependency: singleton`). A job's first act is to take its attempt's
   * claim: one that does runs and is named in `worked`, any other ends at once with 0.
   */
  async schedule(): Promise<void> {
    for (const { id, name, workDirectory } of this.jobs.filter(({ state }) => state === 'PENDING')) {
      if (this.jobs.some((one) => one.name === name && one.state !== 'PENDING' && !isTerminal(one))) continue;
      const claim = join(workDirectory ?? '', attemptFiles.claim);
      const began = await mkdir(claim).then(
        () => true,
        () => false,
      );
      if (began) this.worked.push(id);
      if (began) this.change(id, { state: 'RUNNING', reason: '', nodes: ['n1'], startTime: new Date() });
      else this.end(id, 'COMPLETED');
    }
  }

  end(id: string, state: SlurmJob['state'], rest: Partial<SlurmJob> = {}): void {
    this.change(id, { state, reason: '', flags: [], endTime: new Date(), ...rest });
  }

  /** Changes a job in slurmctld, and in slurmdbd if that answers. */
  change(id: string, rest: Partial<SlurmJob>): void {
    const changed = (one: SlurmJob) => (one.id === id ? { ...one, ...rest, source: one.source } : one);
    this.jobs = this.jobs.map(changed);
    this.records = this.records?.map(changed);
  }

  /** slurmctld drops it, as it does MinJobAge after its end. */
  forget(id: string): void {
    this.jobs = this.jobs.filter((one) => one.id !== id);
  }

  async #signal(id: string, signal: 'TERM' | 'KILL', what: string): Promise<CancelResult> {
    await effect(what);
    this.#count(what);
    const there = this.jobs.some((one) => one.id === id && !isTerminal(one));
    const outcome = there ? (this.onSignal(id, signal) ?? 'accepted') : 'already-done';
    return { outcome, number: undefined, message: outcome === 'refused' ? 'Access denied' : '', warnings: [] };
  }

  #recorded(): SlurmJob[] {
    if (this.records === undefined) throw new SlurmError('no slurmdbd', this.silence);
    return this.records;
  }

  #count(what: string): void {
    this.asked.push(what);
    if (this.down) throw new SlurmError('the controller does not answer', unavailable);
  }
}
