import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { SlurmError, type SlurmErrorKind } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { passing, refuse, systemCode, toFailure, translatedAll } from '../../activities/failure.ts';
import { failures } from '../../domain/failures.ts';
import { FileFault } from '../../files/regular-file.ts';
import { activityEnvironment, inActivity, rejection } from './fixtures.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it said so`), { code, syscall: 'open' });
}

describe('the two doors', () => {
  it('a refusal is not tried again, what passes is', () => {
    const cause = new Error('why');
    expect(refuse('DataInvalid', 'no', cause)).toMatchObject({ type: 'DataInvalid', nonRetryable: true, cause });
    expect(passing('NoRoom', 'later', cause)).toMatchObject({ type: 'NoRoom', nonRetryable: false, cause });
  });

  it('a type that does not belong to its door, or is in no table, does not compile', () => {
    // @ts-expect-error -- it passes once there is room
    expect(refuse('NoRoom', 'x').type).toBe('NoRoom');
    // @ts-expect-error -- no retry mends it
    expect(passing('DataInvalid', 'x').type).toBe('DataInvalid');
    // @ts-expect-error -- no such type
    expect(passing('Whatever', 'x').type).toBe('Whatever');
  });

  it.each(Object.entries(failures))('%s tells a person what to do in one short sentence', (_type, { remedy }) => {
    expect(remedy).toMatch(/^[A-Z][^\n]{10,110}\.$/);
  });
});

describe('what Slurm answers', () => {
  const slurm = (kind: SlurmErrorKind, number?: number) =>
    new SlurmError(`get job 7: ${kind}`, { kind, delivery: 'not-delivered', number });

  it.each<[string, SlurmError]>([
    ['slurmrestd is away', slurm('unavailable')],
    ['a write whose fate is not known', slurm('ambiguous')],
    ['a token that has run out', slurm('auth', 6001)],
    ['a limit for now', slurm('throttled', 11)],
    ['an answer that cannot be read', slurm('protocol')],
    ['error 1, which some answer while no controller does', slurm('refused', 1)],
    ['a system error of slurmrestd: connection refused', slurm('refused', 111)],
    ['a message that was cut short', slurm('refused', 5001)],
    ['a credential that is not accepted (yet)', slurm('refused', 6000)],
  ])('%s: SlurmUnavailable, tried again', (_name, error) => {
    const failure = toFailure(error, 'cancel job "x"');
    expect(failure).toMatchObject({
      type: 'SlurmUnavailable',
      nonRetryable: false,
      message: error.message,
      cause: error,
    });
  });

  it.each<[string, SlurmError]>([
    ['no permission', slurm('refused', 2002)],
    ['a request that the client does not send', slurm('refused')],
    ['a job that it does not know', slurm('unknown-job', 2017)],
  ])('%s: Refused, not tried again', (_name, error) => {
    expect(toFailure(error, 'x')).toMatchObject({ type: 'Refused', nonRetryable: true, message: error.message });
  });
});

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
