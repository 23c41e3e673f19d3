/**
 * Stacks of a job that got stuck: when USR1 arrives, the trainer writes the Python stacks of all its threads into `stacks.txt` (faulthandler
 * answers from C even while Python is stuck). They are only evidence: a job that does not answer, or has ended meanwhile, gives an empty
 * tail. After a kill -9 the job is asked again, and a second dump follows the first.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { CapturedStacks, PreparedAttempt } from '../../domain/jobs/job-life.ts';
import { attemptFiles } from '../../domain/names.ts';
import { tailText } from './attempt-files.ts';
import type { JobDeps } from './deps.ts';
import { systemCode, toFailure } from '../failure.ts';

const tailBytes = 2_000;
const patienceMs = 15_000;
const lookMs = 1_000;

export function createStackActivities(deps: Pick<JobDeps, 'slurm'>) {
  return {
    async captureStacks(input: { prepared: PreparedAttempt; jobId: string }): Promise<CapturedStacks> {
      const { prepared, jobId } = input;
      const path = join(prepared.directory, attemptFiles.stacks);
      await deps.slurm.signal(jobId, 'USR1').catch((error: unknown) => {
        throw toFailure(error, `ask job ${jobId} ("${prepared.name}") for its stacks`);
      });
      const tail = await writtenWhole(path).catch((error: unknown) => {
        // It is only evidence: if the store does not let it be read, the stuck job must still go from its node.
        if (systemCode(error) === undefined) throw error;
        return '';
      });
      return { path, tail };
    },
  };
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
