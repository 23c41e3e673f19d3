/** Failures of workflows. They are made only here, with a type of the table (`domain/failures.ts`). */
// oxlint-disable-next-line no-restricted-imports -- the one place of this room that makes failures
import { ApplicationFailure } from '@temporalio/workflow';
import type { RefusedType } from '../domain/failures.ts';

/** A failure that no retry mends. Thrown, it ends the run or refuses an update. */
export function refuse(type: RefusedType, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

/** What a validator throws. Without a stack: the Temporal UI would show it below the sentence. */
export function invalid(sentence: string): Error {
  const error = new Error(sentence);
  error.stack = '';
  return error;
}

/** Was this thrown on purpose, with a type of the table? False for a failure of an activity, which comes as ActivityFailure. */
export function isFailure(error: unknown): error is ApplicationFailure {
  return error instanceof ApplicationFailure;
}
