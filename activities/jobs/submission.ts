/**
 * Submission: exactly once, or found out (docs/CONTRACTS.md §3). Slurm has no idempotency key and a submit that "timed out" may
 * still create the job afterwards, so the attempt's unique name is the key and a name is looked for before anything is
 * sent a second time.
 *
 * kill -9 before the POST: `submission.json` says `intended`, the name is looked for, nothing is found for a healthy
 * minute, it is posted. Between POST and answer: the name is found and adopted. After the answer: the file has the id.
 * Once it is certain that nothing was created, the file goes: the next attempt posts at once.
 * What slips through anyway meets `dependency: singleton` and the claim in the job script.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { log } from '@temporalio/activity';
import { SlurmError } from 'slurm-rest-client';
import * as z from 'zod';
import { renderJobRequest } from '../../domain/jobs/job-spec.ts';
import type { AttemptInput, SubmittedJob } from '../../domain/jobs/job-life.ts';
import { attemptName, paths } from '../../domain/names.ts';
import type { JobDeps } from './deps.ts';
import { readIfPresent, writeFileAtomic } from '../store/durable-file.ts';
import { passing, toFailure } from '../failure.ts';
import { denialMs, findForCertain } from './finding.ts';

const fileName = 'submission.json';

const submissionSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('intended'), since: z.string() }),
  z.object({ state: z.literal('submitted'), job_id: z.string().regex(/^\d+$/), since: z.string() }),
]);

export function createSubmissionActivities(deps: Pick<JobDeps, 'store' | 'slurm' | 'accounting' | 'job'>) {
  return {
    /** Submits an attempt's job, or adopts the one that stands under its name. Safe to run any number of times. */
    async submitJob(input: AttemptInput): Promise<SubmittedJob> {
      const { order, attempt } = input;
      const directory = paths.attempt(deps.store.root, order.run, order.stage, attempt);
      const record = join(directory, fileName);
      const known = await readSubmission(record);
      if (known?.state === 'submitted') return { jobId: known.job_id, adopted: true };
      const name = attemptName(order.run, order.stage, attempt);
      if (known?.state === 'intended') {
        const found = await findForCertain(deps, name);
        if (found !== undefined) return settle(record, found, true);
      }
      await writeSubmission(record, { state: 'intended', since: new Date().toISOString() });
      const sent = await post(deps, input, directory);
      if (sent.kind === 'accepted') return settle(record, sent.jobId, false);
      if (sent.kind !== 'unknown') {
        await rm(record);
        if (sent.kind === 'not-delivered') throw sent.error;
        return { jobId: '', adopted: false, refused: sent.why };
      }
      const found = await findForCertain(deps, name);
      if (found !== undefined) return settle(record, found, true);
      await rm(record);
      throw passing(
        'SlurmUnavailable',
        `submit job "${name}": the answer was ambiguous and a healthy controller denied the name for ${denialMs / 1000} s`,
      );
    },
  };
}

type Sent =
  | { kind: 'accepted'; jobId: string }
  /** Slurm said no, and will again: a person must change something. */
  | { kind: 'refused'; why: string }
  /** There is certainly no job, and there may be one if it is sent again. */
  | { kind: 'not-delivered'; error: Error }
  /** There may be a job, now or soon. */
  | { kind: 'unknown' };

/** One POST, never repeated here. Throws only what is no answer of Slurm. */
async function post(deps: Pick<JobDeps, 'slurm' | 'job'>, input: AttemptInput, directory: string): Promise<Sent> {
  const { order, attempt, changes } = input;
  const request = renderJobRequest(order, attempt, changes, { python: deps.job.python, directory });
  try {
    const answer = await deps.slurm.submit({
      ...request,
      script: deps.job.script,
      tasks: request.nodes,
      requeue: false,
      dependency: 'singleton',
      openMode: 'append',
    });
    for (const warning of answer.warnings)
      log.warn('slurmrestd warned about a submission', { name: request.name, warning });
    return { kind: 'accepted', jobId: answer.jobId };
  } catch (error) {
    if (!(error instanceof SlurmError)) throw toFailure(error, `submit job "${request.name}"`);
    if (error.delivery === 'unknown') {
      log.warn('ambiguous answer to a submission, looking for the job by its name', {
        name: request.name,
        why: error.message,
      });
      return { kind: 'unknown' };
    }
    return isFinal(error) ? { kind: 'refused', why: error.message } : { kind: 'not-delivered', error };
  }
}

/**
 * An answer to the attempt's submission may be missing: its job may stand, or may yet appear. Also true of a record that
 * cannot be read, whatever the reason: it denies nothing.
 */
export async function mayYetAppear(directory: string): Promise<boolean> {
  try {
    return (await readSubmission(join(directory, fileName)))?.state === 'intended';
  } catch (error) {
    log.warn('the record of a submission cannot be read: its job is looked for', { directory, why: String(error) });
    return true;
  }
}

/**
 * Slurm (or this client) turned the job itself down, and will again. A protocol error before anything was sent is none: the
 * answer to the search for an API version was garbled, and the next one may be clean.
 */
function isFinal({ kind, delivery }: SlurmError): boolean {
  return kind === 'refused' || (kind === 'protocol' && delivery === 'refused');
}

async function settle(record: string, jobId: string, adopted: boolean): Promise<SubmittedJob> {
  await writeSubmission(record, { state: 'submitted', job_id: jobId, since: new Date().toISOString() });
  return { jobId, adopted };
}

async function readSubmission(path: string): Promise<z.output<typeof submissionSchema> | undefined> {
  const text = await readIfPresent(path);
  return text === undefined ? undefined : submissionSchema.parse(JSON.parse(text));
}

async function writeSubmission(path: string, submission: z.output<typeof submissionSchema>): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(submission)}\n`);
}
