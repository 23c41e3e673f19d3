/** A controller in memory, for the job poller's tests. */
import { type JobStatus, SlurmError, type SlurmJob, type SlurmServer } from 'slurm-rest-client';

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

/** A controller of this API family: 22.05 has no states without details, later ones do. Requests are counted. */
export class Controller {
  jobs: SlurmJob[] = [];
  /** What slurmdbd has; undefined: it does not answer. */
  records: SlurmJob[] | undefined = [];
  asked: string[] = [];
  down = false;
  /** An id whose answers are lost. */
  lost = '';
  readonly #details: boolean;

  constructor(details: boolean) {
    this.#details = details;
  }

  async connect(): Promise<SlurmServer> {
    return { apiVersion: this.#details ? 'v0.0.38' : 'v0.0.42', release: '', cluster: '' };
  }

  async jobStates(ids: readonly string[]): Promise<JobStatus[]> {
    if (this.#details) throw new Error('v0.0.38 lists all jobs for this: the poller must not ask');
    this.#count(`states of ${ids.length}`);
    const wanted = new Set(ids);
    const found = this.jobs.filter(({ id }) => wanted.has(id));
    return found.map((one) => ({ id: one.id, state: one.state, flags: one.flags }));
  }

  async getJob(id: string): Promise<SlurmJob | undefined> {
    this.#count(`job ${id}`);
    if (id === this.lost) throw new SlurmError('reset', { kind: 'unavailable', delivery: 'not-delivered' });
    return this.jobs.find((one) => one.id === id);
  }

  async listJobs(): Promise<SlurmJob[]> {
    this.#count('list');
    return this.jobs;
  }

  async accountingJobs({ id }: { id: string }): Promise<SlurmJob[]> {
    this.#count(`record of ${id}`);
    if (this.records === undefined) {
      throw new SlurmError('no slurmdbd', { kind: 'unavailable', delivery: 'not-delivered' });
    }
    return this.records.filter((one) => one.id === id);
  }

  #count(what: string): void {
    this.asked.push(what);
    if (this.down) throw new Error('the controller does not answer');
  }
}
