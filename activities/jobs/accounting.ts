/**
 * Accounting: what slurmdbd says of jobs, if a cluster has one. A slurmdbd that answers is evidence. If there is none, that is no outage.
 *
 * A cluster without slurmdbd does not serve its path (404), or answers every question with an error. If slurmdbd has never answered this
 * worker, a 404 means that there is none. Anything else is an outage. It is waited for, since perhaps only slurmdbd knows what became of a
 * forgotten job, but only until slurmdbd has been silent for `patienceMs` without a break. Then the evidence at hand counts, and the
 * caller says that slurmdbd did not answer.
 *
 * It only reads. What it learns is lost with the process, and the next one waits anew. It knows nothing of attempts and their files.
 */
import { type SlurmClient, SlurmError, type SlurmJob } from 'slurm-rest-client';

export type Records =
  | { kind: 'answered'; rows: SlurmJob[] }
  /** There is nobody to ask, or nobody has answered for long enough. `why` says which, in words. */
  | { kind: 'unanswered'; why: string };

/** The same time for which slurmctld must not know a job before it counts as gone. */
export const accountingPatienceMs = 5 * 60_000;
/** If slurmdbd has ever answered, two failures farther apart than this are two outages. */
const gapMs = 2 * 60_000;
/** A cluster that does not serve the path is asked again after this time: somebody may have added a slurmdbd. */
const askAgainMs = 10 * 60_000;

type Asked = Pick<SlurmClient, 'accountingJobs' | 'accountingJobsByName'>;

export interface AccountingOptions {
  patienceMs?: number;
  now?: () => number;
}

export class Accounting {
  readonly #slurm: Asked;
  readonly #patienceMs: number;
  readonly #now: () => number;
  #everAnswered = false;
  #silence: { since: number; last: number } | undefined;
  /** Set if the path is not served. */
  #none: { why: string; askAgainAt: number } | undefined;

  constructor(slurm: Asked, { patienceMs = accountingPatienceMs, now = Date.now }: AccountingOptions = {}) {
    this.#slurm = slurm;
    this.#patienceMs = patienceMs;
    this.#now = now;
  }

  /** Rows of all jobs of a name, of any user. Ask slurmctld first. Throws SlurmError while an answer is waited for. */
  async byName(name: string): Promise<Records> {
    return this.#ask(() => this.#slurm.accountingJobsByName(name));
  }

  /** Rows under a job id, oldest first, those of other jobs included. Throws as `byName` does. */
  async byId(id: string): Promise<Records> {
    return this.#ask(() => this.#slurm.accountingJobs({ id }));
  }

  /**
   * For the worker's start, and for checks of an installation: undefined if slurmdbd answers, else what is less certain without it. If
   * there is no answer at all, nothing is known: slurmrestd itself may be away.
   */
  async notice(): Promise<string | undefined> {
    try {
      const said = await this.#ask(() => this.#slurm.accountingJobsByName('critic', { since: new Date(this.#now()) }), {
        onlyIfSaid: true,
      });
      return said.kind === 'answered' ? undefined : `this cluster keeps no accounts (${said.why}): ${lessCertain}`;
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      if (error.httpStatus === undefined) return `whether there is a slurmdbd is not known: ${error.message}`;
      const minutes = this.#patienceMs / 60_000;
      return `slurmdbd does not answer (${error.message}). If it stays so for ${minutes} minutes: ${lessCertain}`;
    }
  }

  async #ask(question: () => Promise<SlurmJob[]>, { onlyIfSaid = false } = {}): Promise<Records> {
    if (this.#none !== undefined && this.#now() < this.#none.askAgainAt) {
      return { kind: 'unanswered', why: this.#none.why };
    }
    try {
      const rows = await question();
      this.#everAnswered = true;
      this.#silence = undefined;
      this.#none = undefined;
      return { kind: 'answered', rows };
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      if (onlyIfSaid && error.httpStatus === undefined) throw error;
      return this.#unanswered(error);
    }
  }

  #unanswered(error: SlurmError): Records {
    const now = this.#now();
    const before = this.#silence;
    const goesOn = before !== undefined && (!this.#everAnswered || now - before.last <= gapMs);
    const since = goesOn ? before.since : now;
    this.#silence = { since, last: now };
    const isNotServed = error.httpStatus === 404 && error.number === undefined;
    if (isNotServed && !this.#everAnswered) this.#none = { why: error.message, askAgainAt: now + askAgainMs };
    if (this.#none === undefined && now - since < this.#patienceMs) throw awaited(error);
    return { kind: 'unanswered', why: error.message };
  }
}

/** Whatever slurmdbd answered, it is asked again until patience ends: for whoever asks, an outage. */
function awaited(error: SlurmError): SlurmError {
  const { message, number, httpStatus, source } = error;
  return new SlurmError(message, {
    kind: 'unavailable',
    delivery: 'not-delivered',
    number,
    httpStatus,
    source,
    cause: error,
  });
}

const lessCertain =
  'a job that slurmctld has forgotten is judged by its own files alone; one that left none counts as lost after five minutes; ' +
  'who cancelled a job, and that a node or a time limit ended it, is not known then';
