/** Failures of workflows: made here alone, of a type in the table (`domain/failures.ts`). */
// oxlint-disable-next-line no-restricted-imports -- the one place of this room that makes failures
import { ApplicationFailure } from '@temporalio/workflow';
import type { RefusedType } from '../domain/failures.ts';

/** A failure that no retry mends: thrown, it ends the run, or refuses an update. */
export function refuse(type: RefusedType, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

/** Was this thrown on purpose, with a type of the table? False for what an activity threw: that comes as ActivityFailure. */
export function isFailure(error: unknown): error is ApplicationFailure {
  return error instanceof ApplicationFailure;
}
