import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { describe, expect, it } from 'vitest';
import { systemCode, toFailure, translatedAll } from '../../activities/failure.ts';
import { FileFault } from '../../files/regular-file.ts';
import { activityEnvironment, inActivity, rejection } from './fixtures.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it said so`), { code, syscall: 'open' });
}

describe('what outside errors become', () => {
  it.each([
    ['EACCES', 'Refused', true],
    ['EROFS', 'Refused', true],
    ['ENOSPC', 'NoRoom', false],
    ['ENFILE', 'NoRoom', false],
    ['EIO', 'SystemError', false],
  ])('%s is %s, non-retryable: %s, and says what was attempted', (code, type, nonRetryable) => {
    const failure = toFailure(systemError(code), 'publish "x"');
    expect(failure).toMatchObject({ type, nonRetryable, message: `publish "x": ${code}: it said so` });
  });

  it('a failure that was made on purpose stays what it is', () => {
    const failure = ApplicationFailure.nonRetryable('no', 'DataInvalid');
    expect(toFailure(failure, 'x')).toBe(failure);
  });

  it('an error of unknown type stays what it is: a bug', () => {
    const bug = new TypeError('x is not a function');
    expect(toFailure(bug, 'x')).toBe(bug);
  });

  it('an abort becomes the reason of the activity signal, so that pause and reset come through as themselves', async () => {
    const controller = new AbortController();
    const waiting = sleep(10_000, undefined, { signal: controller.signal });
    const reason = new CancelledFailure('PAUSED');
    controller.abort(reason);
    expect(toFailure(await rejection(waiting), 'x', controller.signal)).toBe(reason);
  });

  it('an abort by something else is no cancellation', async () => {
    const error = await rejection(sleep(10_000, undefined, { signal: AbortSignal.timeout(1) }));
    expect(toFailure(error, 'x', new AbortController().signal)).toBe(error);
  });

  it('finds the system error under the error that wraps it', async () => {
    const error = await rejection(readFile('/nonexistent'));
    expect(systemCode(new Error('reading failed', { cause: error }))).toBe('ENOENT');
    expect(systemCode(new Error('reading failed'))).toBeUndefined();
  });

  it('what is no regular file is refused: no retry makes one of it', () => {
    const fault = new FileFault('/store/outcome.json', 'a regular file', 'a named pipe');
    expect(toFailure(fault, 'collect "x"')).toMatchObject({ type: 'Refused', nonRetryable: true });
  });

  it('every activity translates, in its own name, what it did not translate itself', async () => {
    const failing = (error: Error) => async (): Promise<string> => {
      throw error;
    };
    const own = ApplicationFailure.retryable('its own words', 'NoRoom');
    const { prepareAttempt, publishJob, watchJob } = translatedAll({
      prepareAttempt: failing(systemError('EROFS')),
      publishJob: failing(own),
      watchJob: async (name: string) => `watched ${name}`,
    });
    const { env } = activityEnvironment();
    expect(await rejection(inActivity(env, () => prepareAttempt()))).toMatchObject({
      type: 'Refused',
      nonRetryable: true,
      message: 'prepare attempt: EROFS: it said so',
    });
    expect(await rejection(inActivity(env, () => publishJob()))).toBe(own);
    expect(await inActivity(env, () => watchJob('x'))).toBe('watched x');
  });
});
