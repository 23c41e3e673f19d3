/** The one exception of this package. What Slurm's numbers mean is in `classify.ts`. */

/**
 * What a caller can do about it.
 *
 * - `refused`: Slurm (or this client) said no, and will again: invalid partition, account, path, permission.
 * - `unknown-job`: slurmctld does not know the id (any more).
 * - `unavailable`: slurmrestd, slurmctld or slurmdbd cannot be reached or does not answer; a read may be repeated.
 * - `auth`: the token is missing, expired or not accepted.
 * - `ambiguous`: a *write* whose fate is not known. It may have been, or may yet be, carried out.
 * - `throttled`: not now: rate limit, job count limit, submissions disabled. Repeat after a long pause.
 * - `protocol`: client and server do not understand each other: unknown path or field, unreadable answer.
 */
export type SlurmErrorKind =
  | 'refused'
  | 'unknown-job'
  | 'unavailable'
  | 'auth'
  | 'ambiguous'
  | 'throttled'
  | 'protocol';

/**
 * What became of a write.
 *
 * - `not-delivered`: it certainly never reached slurmctld. Sending it again cannot make two jobs. Every failed read is this too.
 * - `refused`: it arrived and was turned down. Nothing will run. For some reasons (2014) slurmctld keeps a FAILED record of the name
 *   without a node, and a look for the job by its name finds it.
 * - `unknown`: do not send it again. Look for the job by its name first.
 */
export type Delivery = 'not-delivered' | 'refused' | 'unknown';

export interface SlurmErrorDetails {
  kind: SlurmErrorKind;
  delivery: Delivery;
  /** Slurm's error number (slurm_errno.h), undefined if the answer carried none. */
  number?: number | undefined;
  /** HTTP status, undefined if there was no answer. Do not decide on it: a typo in a partition's name can be a 500. */
  httpStatus?: number | undefined;
  /** Who said it: the function named by slurmrestd, a system error code, or `client`. */
  source?: string | undefined;
  cause?: unknown;
}

/** Every failure of a call. The message says what was attempted and what came back; it never holds a token. */
export class SlurmError extends Error {
  override readonly name = 'SlurmError';
  readonly kind: SlurmErrorKind;
  readonly delivery: Delivery;
  readonly number: number | undefined;
  readonly httpStatus: number | undefined;
  readonly source: string;

  constructor(message: string, details: SlurmErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = details.kind;
    this.delivery = details.delivery;
    this.number = details.number;
    this.httpStatus = details.httpStatus;
    this.source = details.source ?? '';
  }
}

/** The error for a request that this client does not send. */
export function refusedHere(message: string): SlurmError {
  return new SlurmError(message, { kind: 'refused', delivery: 'not-delivered', source: 'client' });
}
