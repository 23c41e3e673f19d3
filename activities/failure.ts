/**
 * Failures of activities. They are made only here, with a type of the table (`domain/failures.ts`), and only this file translates other
 * errors into them. Cancellations pass unchanged. It looks at types, codes and statuses, never at the text of a message. A message says what
 * was attempted, on what, and what came back.
 */
// oxlint-disable-next-line no-restricted-imports -- the one place of this room that makes failures
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { SlurmError } from 'slurm-rest-client';
import type { PassingType, RefusedType } from '../domain/failures.ts';
import { FileFault } from '../files/regular-file.ts';

/** System errors that no retry mends: somebody must change a mode, a mount or a path. */
const refusedCodes = new Set(['EACCES', 'EPERM', 'EROFS', 'ENAMETOOLONG', 'ELOOP', 'EISDIR', 'ENOTDIR']);
/** System errors that pass when somebody makes room. The run waits for that. */
const roomCodes = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE']);

/** A failure that no retry mends: the run asks the operator. `cause`: the error behind it. */
export function refuse(type: RefusedType, message: string, cause?: unknown): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true, ...causeOf(cause) });
}

/** A failure that passes, by itself or once something outside is mended: the activity is tried again. */
export function passing(type: PassingType, message: string, cause?: unknown): ApplicationFailure {
  return ApplicationFailure.create({ type, message, ...causeOf(cause) });
}

/** Is this a failure already? Then it says by itself whether it is tried again. */
export function isFailure(error: unknown): error is ApplicationFailure {
  return error instanceof ApplicationFailure;
}

/**
 * What to throw for `error`, which happened while doing `attempted` ("submit job \"x\""). `signal` is the activity's cancellation signal.
 * When it is aborted, an abort error from a client or a timer becomes its reason, a CancelledFailure that tells cancel, pause, reset and
 * shutdown apart. An error of unknown type is returned unchanged: it is a bug and must be seen.
 */
export function toFailure(error: unknown, attempted: string, signal?: AbortSignal): Error {
  if (error instanceof CancelledFailure || isFailure(error)) return error;
  if (signal?.aborted === true && isAbort(error) && signal.reason instanceof Error) return signal.reason;
  if (error instanceof SlurmError) return slurmFailure(error);
  const message = `${attempted}: ${error instanceof Error ? error.message : String(error)}`;
  // No retry makes a regular file of a pipe, or a small one of a large one.
  if (error instanceof FileFault) return refuse('Refused', message, error);
  const code = systemCode(error);
  if (code !== undefined && roomCodes.has(code)) return passing('NoRoom', message, error);
  if (code !== undefined && refusedCodes.has(code)) return refuse('Refused', message, error);
  if (code !== undefined) return passing('SystemError', message, error);
  return error instanceof Error ? error : new Error(message);
}

/** Numbers with which slurmctld says no (slurm_errno.h). Others are of sockets, messages, tokens or slurmrestd itself. */
const saysNo = { from: 2000, below: 3000 };

/**
 * If Slurm said no, it will say no again. Everything else may pass: an outage, a token that is not accepted, a limit, a garbled answer. A
 * number that is not slurmctld's is an outage too: slurmrestd answers system errors (1, 111) while no controller answers. Slurm's message
 * says what was attempted.
 */
function slurmFailure(error: SlurmError): ApplicationFailure {
  const { kind, number } = error;
  const isAnswer = number === undefined || (number >= saysNo.from && number < saysNo.below);
  const isRefused = (kind === 'refused' && isAnswer) || kind === 'unknown-job';
  return isRefused ? refuse('Refused', error.message, error) : passing('SlurmUnavailable', error.message, error);
}

/** Runs `work` and translates whatever it throws. */
export async function translated<T>(attempted: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error, attempted, signal);
  }
}

/**
 * The same activities. What one throws is translated, and its name says what was attempted ("prepareAttempt" → "prepare attempt"), unless the
 * activity has said so itself.
 */
export function translatedAll<T extends object>(activities: T): T {
  const wrapped = Object.entries(activities).map(
    ([name, activity]: [string, (...input: unknown[]) => Promise<unknown>]) => {
      const attempted = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      const work = async (...input: unknown[]) =>
        translated(attempted, Context.current().cancellationSignal, () => activity(...input));
      return [name, work];
    },
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same names and shapes
  return Object.fromEntries(wrapped) as T;
}

/**
 * The same activities for a workflow that has no operator to ask: a mode, a mount or a path that somebody must mend (EROFS, EACCES, …) is tried
 * again until it is mended. What they have refused themselves stays refused.
 */
export function patientAll<T extends object>(activities: T): T {
  const wrapped = Object.entries(activities).map(
    ([name, activity]: [string, (...input: unknown[]) => Promise<unknown>]) => {
      const work = async (...input: unknown[]) => {
        try {
          return await activity(...input);
        } catch (error) {
          const code = isFailure(error) ? undefined : systemCode(error);
          if (code === undefined || !refusedCodes.has(code)) throw error;
          throw passing('SystemError', `${name}: ${error instanceof Error ? error.message : String(error)}`, error);
        }
      };
      return [name, work];
    },
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same names and shapes
  return Object.fromEntries(wrapped) as T;
}

/** Did an aborted signal end this call? True for DOMException, Node's AbortError and clients that follow them. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'APIUserAbortError');
}

/** Code of a system error (`ENOENT`), even if it is the cause of another error. Undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('syscall' in error && 'code' in error && typeof error.code === 'string') return error.code;
  return systemCode(error.cause);
}

function causeOf(error: unknown): { cause?: Error } {
  return error instanceof Error ? { cause: error } : {};
}
