/**
 * The client: one method for each thing that slurmrestd can do for a job. It repeats only a read whose token was not accepted. The
 * caller retries, polls, and finds out what an ambiguous submit did.
 */
import * as z from 'zod';
import { accountingList, accountingRows } from './accounting.ts';
import type { SignalTarget } from './adapters/adapter.ts';
import { failure, isGood, readAnswer, unreadable, type Answer } from './answer.ts';
import { get, parse, post, rawRequest, readList, type Call } from './call.ts';
import { refusedHere, SlurmError } from './errors.ts';
import { killJob } from './kill.ts';
import { readAssociation, readQos } from './limits.ts';
import { readNode, readPing, readStatistics } from './read-cluster.ts';
import { Session } from './session.ts';
import { splitState } from './states.ts';
import { Transport } from './transport.ts';
import type { TokenProvider } from './token.ts';
import type * as t from './types.ts';
import { checkJobId, checkJobName, checkSignal, checkSubmission, checkUpdate } from './validate.ts';
import * as wire from './wire.ts';

export interface SlurmClientOptions {
  /** `http://127.0.0.1:6820`; a path in it is kept as a prefix. */
  baseUrl: string;
  /** Unix socket to use instead of the host of `baseUrl`. */
  socketPath?: string | undefined;
  /** JWT authentication (rest_auth/jwt). Without it no token is sent, for rest_auth/local over a unix socket. */
  auth?: { userName: string; token: TokenProvider } | undefined;
  /** Default: the highest version that both sides speak. The client probes for it, and again when the server changes. */
  apiVersion?: t.ApiVersion | undefined;
  /** Sockets. Default 4: slurmrestd serves 124 connections in all, idle ones included. */
  connections?: number | undefined;
  /** How long an answer may take, ms. Default 45 000: with a dead controller GET job takes 18 s. */
  headersTimeoutMs?: number | undefined;
  /** Default 10 000 ms. */
  connectTimeoutMs?: number | undefined;
  /**
   * A warning on a submission is an error. A request that the server's version cannot express is not sent, and a job about which the
   * server warns is cancelled. This is for tests: v0.0.40+ ignores typos.
   */
  strict?: boolean | undefined;
}

/** Most ids in one GET jobs/state: about 3.5 KB of URL. */
const idsPerCall = 200;
/** slurmdbd's window if the caller names none. Without a window slurmdbd looks back to midnight only, which loses jobs. */
const defaultWindowMs = 30 * 24 * 3600 * 1000;

export class SlurmClient {
  readonly #transport: Transport;
  readonly #session: Session;
  readonly #strict: boolean;

  constructor(options: SlurmClientOptions) {
    this.#transport = new Transport({
      baseUrl: options.baseUrl,
      socketPath: options.socketPath,
      auth: options.auth,
      connections: options.connections ?? 4,
      headersTimeoutMs: options.headersTimeoutMs ?? 45_000,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    });
    this.#session = new Session(this.#transport, options.apiVersion);
    this.#strict = options.strict ?? false;
  }

  /** Finds out which version the server speaks. Every method does so by itself. Call this to fail early. */
  async connect(): Promise<t.SlurmServer> {
    return this.#session.connect();
  }

  /** Version, release and cluster as last seen; undefined before the first answer. */
  get server(): t.SlurmServer | undefined {
    return this.#session.server;
  }

  /** Closes the sockets after the requests under way. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  /**
   * Submits a batch job: one POST, never repeated. Throws SlurmError; its `delivery` says whether there may be a job. If it is
   * `unknown`, look for the name in `listJobs` and `accountingJobsByName` until it is found or a healthy controller has denied it for
   * a minute: a job can be created *after* the answer.
   */
  async submit(job: t.JobSubmission): Promise<t.SubmittedJob> {
    checkSubmission(job);
    const unsaid = (await this.#session.adapter()).submission(job).warnings;
    const what = `submit job "${job.name}"`;
    if (this.#strict && unsaid.length > 0) throw refusedHere(`${what}: not sent (strict): ${sentences(unsaid)}`);
    const call: Call = { ...post('job/submit', what), body: (spoken) => spoken.submission(job).body };
    const answer = await this.#session.ask(call);
    const submitted = wire.submitAnswer.safeParse(answer.body);
    const jobId = submitted.success ? submitted.data.job_id : undefined;
    const good = answer.status >= 200 && answer.status < 300;
    if (!good || jobId === undefined || jobId === '0') throw this.#submitFailure(call, answer);
    const warnings = [...answer.warnings, ...answer.errors];
    if (this.#strict && warnings.length > 0) throw await this.#unwanted(what, jobId, warnings);
    return {
      jobId,
      warnings: [...unsaid, ...warnings.map(({ description, source }) => ({ description, source }))],
      message: submitted.success ? submitted.data.job_submit_user_msg : '',
    };
  }

  /** The job, or undefined if slurmctld does not know it: not yet, right after submit, or no longer, MinJobAge after its end. */
  async getJob(id: string): Promise<t.SlurmJob | undefined> {
    const call = get('slurm', `job/${checkJobId(id)}`, `get job ${id}`);
    const adapter = await this.#session.adapter();
    try {
      const answer = await this.#session.call(call);
      const jobs = readList(call, answer, 'jobs').map((job) => parse(call, answer, () => adapter.currentJob(job)));
      // An array's id gives a row for each task.
      return jobs.find((job) => job.id === id) ?? jobs[0];
    } catch (error) {
      if (error instanceof SlurmError && error.kind === 'unknown-job') return undefined;
      throw error;
    }
  }

  /** All jobs that slurmctld knows, of all users. No version can filter. A job has about 8 KB. */
  async listJobs(): Promise<t.SlurmJob[]> {
    const call = get('slurm', 'jobs/', 'list jobs');
    const adapter = await this.#session.adapter();
    const answer = await this.#session.call(call);
    return readList(call, answer, 'jobs').map((job) => parse(call, answer, () => adapter.currentJob(job)));
  }

  /**
   * States of the given jobs, in one request. An id that slurmctld does not know is not in the list. More than 200 ids do not fit
   * into a URL, so then it asks for the states of all jobs. v0.0.38 has no such call: there it lists all jobs, and each state has
   * its `details`.
   */
  async jobStates(ids: readonly string[]): Promise<t.JobStatus[]> {
    const wanted = new Set(ids.map(checkJobId));
    if (wanted.size === 0) return [];
    if (!(await this.#session.adapter()).hasJobStates) {
      const jobs = (await this.listJobs()).filter((job) => wanted.has(job.id));
      return jobs.map((job) => ({ id: job.id, state: job.state, flags: job.flags, details: job }));
    }
    if (wanted.size <= idsPerCall) return this.#someStates([...wanted]);
    return (await this.#someStates([])).filter((status) => wanted.has(status.id));
  }

  /**
   * Asks for a job's end: SIGCONT and SIGTERM, and SIGKILL after the cluster's KillWait. A job that is over or unknown is no error.
   * `accepted` is no proof: confirm with `getJob`. Throws `ambiguous` if no controller answers, since a frozen one carries it out
   * later. So do `signal` and `updateJob`.
   */
  async cancel(id: string): Promise<t.CancelResult> {
    return this.#kill(id, `cancel job ${checkJobId(id)}`, {});
  }

  /** Sends a signal such as `USR2`. Target `all` (default): batch shell and steps; v0.0.38 knows no other. */
  async signal(id: string, signal: string, target: SignalTarget = 'all'): Promise<t.CancelResult> {
    const what = `send ${checkSignal(signal)} to job ${checkJobId(id)}`;
    return this.#kill(id, what, (await this.#session.adapter()).signalQuery(signal, target));
  }

  /** Changes a job. Returns the server's warnings. */
  async updateJob(id: string, change: t.JobUpdate): Promise<t.SlurmWarning[]> {
    checkUpdate(change);
    const call = post(`job/${checkJobId(id)}`, `update job ${id}`);
    return (await this.#session.call({ ...call, body: (adapter) => adapter.update(change) })).warnings;
  }

  /**
   * Does a controller answer? This checks neither slurmdbd nor the token: 24.11 does not look at the token, and 22.05 says "down" to
   * one that it does not accept. Throws `auth` if the token is known to be the reason.
   */
  async ping(): Promise<t.PingResult> {
    const call = get('slurm', 'ping/', 'ping');
    const answer = await this.#session.ask(call);
    const error = isGood(answer) ? undefined : failure(rawRequest(call, '', undefined), answer.raw, answer);
    if (error?.kind === 'auth') {
      this.#session.noticeAuth(error);
      throw error;
    }
    const controllers = parse(call, answer, () =>
      z
        .array(z.unknown())
        .parse(answer.body['pings'] ?? [])
        .map(readPing),
    );
    return { up: controllers.some((controller) => controller.up), controllers };
  }

  /** The controller's load. */
  async diag(): Promise<t.Diagnostics> {
    const call = get('slurm', 'diag/', 'get diagnostics');
    const answer = await this.#session.call(call);
    return parse(call, answer, () => readStatistics(answer.body['statistics']));
  }

  async nodes(): Promise<t.SlurmNode[]> {
    const call = get('slurm', 'nodes/', 'list nodes');
    const answer = await this.#session.call(call);
    return readList(call, answer, 'nodes').map((node) => parse(call, answer, () => readNode(node)));
  }

  async partitions(): Promise<t.SlurmPartition[]> {
    const call = get('slurm', 'partitions/', 'list partitions');
    const adapter = await this.#session.adapter();
    const answer = await this.#session.call(call);
    return readList(call, answer, 'partitions').map((row) => parse(call, answer, () => adapter.partition(row)));
  }

  /**
   * slurmdbd's rows of all jobs of a name, oldest first: one for each life of each job, of any user. Jobs that were submitted before
   * `since` are left out (on v0.0.38 those that ended before it); default 30 days ago. v0.0.38 leaves out held and requeued jobs that
   * wait, so look in `listJobs` first. slurmdbd lags behind slurmctld: usually by a second or two (until its start is recorded, a job
   * that ended at once is called `allocation`), by hours if it was down.
   */
  async accountingJobsByName(name: string, options: { since?: Date } = {}): Promise<t.SlurmJob[]> {
    const since = options.since ?? new Date(Date.now() - defaultWindowMs);
    const adapter = await this.#session.adapter();
    const window = adapter.sinceQuery(Math.floor(since.getTime() / 1000));
    const query = Object.entries({ job_name: checkJobName(name), ...window });
    return accountingRows(this.#session, { ...get('slurmdb', 'jobs/', `look up job "${name}" in slurmdbd`), query });
  }

  /** slurmdbd's rows of a job id, oldest first: each life of a requeued job, and of *another* job if ids were reused. */
  async accountingJobs({ id }: { id: string }): Promise<t.SlurmJob[]> {
    return accountingRows(this.#session, get('slurmdb', `job/${checkJobId(id)}`, `look up job ${id} in slurmdbd`));
  }

  /** Accounts under which a user may submit, with slurmdbd's limits. Empty: slurmdbd has none of the user. */
  async associations(user: string): Promise<t.SlurmAssociation[]> {
    const call: Call = { ...get('slurmdb', 'associations/', 'list accounts'), query: [['user', user]] };
    const all = await accountingList(this.#session, call, 'associations', readAssociation);
    return all.filter((one) => one.user === user);
  }

  /** All QOS with their limits. */
  async qos(): Promise<t.SlurmQos[]> {
    const { apiVersion } = await this.connect();
    const key = apiVersion === 'v0.0.38' ? 'QOS' : 'qos';
    return accountingList(this.#session, get('slurmdb', 'qos/', 'list QOS'), key, readQos);
  }

  /** The server's own OpenAPI document (about 1.6 MB on 24.11), unread. */
  async openApi(): Promise<unknown> {
    const what = 'get the OpenAPI document';
    const raw = await this.#transport.send({ method: 'GET', path: '/openapi/v3', what, write: false });
    const request = { method: 'GET', path: '', what, write: false } as const;
    if (raw.status !== 200) throw failure(request, raw, readAnswer(raw));
    const answer = readAnswer(raw);
    if (answer === undefined) throw unreadable(request, raw, 'not JSON');
    return answer.body;
  }

  /** Without ids: the states of all jobs. */
  async #someStates(ids: string[]): Promise<t.JobStatus[]> {
    const query = ids.map((id): [string, string] => ['job_id', id]);
    const whose = ids.length === 0 ? 'all' : String(ids.length);
    const call: Call = { ...get('slurm', 'jobs/state/', `get the states of ${whose} jobs`), query };
    try {
      const answer = await this.#session.call(call);
      const rows = parse(call, answer, () => z.array(wire.jobStatus).parse(answer.body['jobs'] ?? undefined));
      return rows.map((row) => ({ id: row.job_id, ...splitState(row.state) }));
    } catch (error) {
      if (error instanceof SlurmError && error.kind === 'unknown-job') return [];
      throw error;
    }
  }

  async #kill(id: string, what: string, query: Record<string, string>): Promise<t.CancelResult> {
    return killJob(this.#session, { id, what, query });
  }

  #submitFailure(call: Call, answer: Answer): SlurmError {
    const request = rawRequest(call, '', undefined);
    const good = answer.status >= 200 && answer.status < 300;
    if (good && answer.errors.length === 0) return unreadable(request, answer.raw, 'it names no job');
    const error = failure(request, answer.raw, answer);
    this.#session.noticeAuth(error);
    return error;
  }

  /** There was a job, whatever the cancel does, so this is never "not delivered". */
  async #unwanted(what: string, jobId: string, warnings: t.SlurmWarning[]): Promise<SlurmError> {
    const fate = await this.cancel(jobId).then(
      ({ outcome, message }) => (outcome === 'refused' ? `could not be cancelled (${message})` : 'cancelled again'),
      (error: unknown) => `could not be cancelled (${String(error)})`,
    );
    return new SlurmError(
      `${what}: job ${jobId} was created with warnings and ${fate} (strict): ${sentences(warnings)}`,
      {
        kind: 'protocol',
        delivery: 'unknown',
        source: 'client',
      },
    );
  }
}

function sentences(warnings: t.SlurmWarning[]): string {
  return warnings.map((warning) => warning.description).join('; ');
}
