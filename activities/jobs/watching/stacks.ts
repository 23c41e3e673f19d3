/**
 * Stacks of a job that got stuck: when USR1 arrives, each rank writes the Python stacks of all its threads into its `stacks.txt` (faulthandler
 * answers from C even while Python is stuck). A process beside it writes native ones into `stacks-native.txt`: the job is not ended before
 * these are whole. They are only evidence: a job that does not answer, or has ended meanwhile, gives an empty tail. After a kill -9 the job is
 * asked again, and a second dump follows the first.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { CapturedStacks, PreparedAttempt } from '../../../domain/jobs/job-life.ts';
import { attemptFiles } from '../../../domain/names.ts';
import { namesIn } from '../../../files/fresh-look.ts';
import { tailText } from '../attempt-files.ts';
import type { JobDeps } from '../deps.ts';
import { systemCode, toFailure } from '../../failure.ts';

const tailBytes = 2_000;
const patienceMs = 15_000;
/** A little longer than the trainer takes at most (SECONDS in trainer/critic_trainer/attempt/native_stacks.py). */
const nativePatienceMs = 60_000;
const lookMs = 1_000;
/** Names and last lines are that file's. */
const nativeName = /^stacks-native(?:-\d+)?\.txt$/;
const nativeEnd = '=== end of native stacks';

export function createStackActivities(deps: Pick<JobDeps, 'slurm'>) {
  return {
    async captureStacks(input: { prepared: PreparedAttempt; jobId: string }): Promise<CapturedStacks> {
      const { prepared, jobId } = input;
      const path = join(prepared.directory, attemptFiles.stacks);
      await deps.slurm.signal(jobId, 'USR1').catch((error: unknown) => {
        throw toFailure(error, `ask job ${jobId} ("${prepared.name}") for its stacks`);
      });
      const tail = await writtenWhole(path).catch((error: unknown) => unread(error, ''));
      await nativeWritten(prepared.directory).catch((error: unknown) => unread(error, undefined));
      return { path, tail };
    },
  };
}

/** They are only evidence: if the store does not let them be read, the stuck job must still go from its node. */
function unread<T>(error: unknown, instead: T): T {
  if (systemCode(error) === undefined) throw error;
  return instead;
}

/** Waits until no rank is writing native stacks any more, or patience ends. */
async function nativeWritten(directory: string): Promise<void> {
  const until = Date.now() + nativePatienceMs;
  const isOpen = async (name: string) => {
    const tail = await tailText(join(directory, name), tailBytes);
    return tail !== '' && !tail.trimEnd().endsWith(nativeEnd);
  };
  for (;;) {
    const names = [...(await namesIn(directory))].filter((name) => nativeName.test(name));
    const open = await Promise.all(names.map(isOpen));
    if (!open.includes(true) || Date.now() > until) return;
    await sleep(lookMs);
    Context.current().heartbeat({ state: 'capturing native stacks' });
  }
}

/** The file's tail when it is there and does not grow any more, or what there is when patience ends. */
async function writtenWhole(path: string): Promise<string> {
  const until = Date.now() + patienceMs;
  let tail = '';
  for (;;) {
    await sleep(lookMs);
    Context.current().heartbeat({ state: 'capturing stacks' });
    const now = await tailText(path, tailBytes);
    if ((now !== '' && now === tail) || Date.now() > until) return now;
    tail = now;
  }
}
