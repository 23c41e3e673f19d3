/**
 * Submission: exactly once, or found out (docs/CONTRACTS.md §3). Slurm has no idempotency key, and a submit that "timed out" may still create
 * the job afterwards. So the attempt's unique name is the key, and it is looked for before anything is sent a second time.
 *
 * kill -9 before the POST: `submission.json` says `intended`. The name is looked for, a healthy controller denies it for a minute, and the
 * job is posted. Between POST and answer: the name is found, and its job adopted. After the answer: the file has the id. When it is
 * certain that nothing was created, the file is removed, and the next try posts at once. What slips through meets `dependency: singleton`
 * and the claim in the job script.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { log } from '@temporalio/activity';
import { SlurmError } from 'slurm-rest-client';
import * as z from 'zod';
import { type JobRequest, renderJobRequest } from '../../domain/jobs/job-spec.ts';
import type { AttemptInput, SubmittedJob } from '../../domain/jobs/job-life.ts';
import { paths } from '../../domain/names.ts';
import type { JobDeps } from './deps.ts';
import { environmentOf } from '../store/environments.ts';
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
    /** Submits an attempt's job, or adopts the job that has its name. It may be run any number of times. */
    async submitJob(input: AttemptInput): Promise<SubmittedJob> {
      const { order, attempt, changes } = input;
      const directory = paths.attempt(deps.store.root, order.run, order.stage, attempt);
      const environment = environmentOf(deps.job, order.engine.name);
      return submitOnce(deps, directory, renderJobRequest(order, attempt, changes, { environment, directory }));
    },
  };
}

/**
 * Submits the job of a folder, or adopts the job that has its name. It may be run any number of times: what was intended and what became of it
 * stands in the folder.
 */
export async function submitOnce(
  deps: Pick<JobDeps, 'slurm' | 'accounting' | 'job'>,
  directory: string,
  request: JobRequest,
): Promise<SubmittedJob> {
  const { name } = request;
  const record = join(directory, fileName);
  const known = await readSubmission(record);
  if (known?.state === 'submitted') return { jobId: known.job_id, adopted: true };
  if (known?.state === 'intended') {
    const found = await findForCertain(deps, name);
    if (found !== undefined) return settle(record, found, true);
  }
  await writeSubmission(record, { state: 'intended', since: new Date().toISOString() });
  const sent = await post(deps, request);
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
}

type Sent =
  | { kind: 'accepted'; jobId: string }
  /** Slurm said no, and will say it again: a person must change something. */
  | { kind: 'refused'; why: string }
  /** There is certainly no job. Another POST may succeed. */
  | { kind: 'not-delivered'; error: Error }
  /** There may be a job, now or soon. */
  | { kind: 'unknown' };

/** One POST, never repeated here. It throws only errors that are not Slurm's. */
async function post(deps: Pick<JobDeps, 'slurm' | 'job'>, request: JobRequest): Promise<Sent> {
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
    return isFinal(error)
      ? { kind: 'refused', why: whyRefused(error.message, request.partition) }
      : { kind: 'not-delivered', error };
  }
}

/** Slurm does not say which partition it means. */
export function whyRefused(message: string, partition: string | undefined): string {
  if (partition === undefined || !/partition/i.test(message)) return message;
  return `${message}; the job asks for "${partition}", and "retry --partition NAME" takes another one`;
}

/**
 * May the answer to the attempt's submission be missing? Then its job may be there, or may appear later. It is true too for a record that
 * cannot be read, since that denies nothing.
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
 * Did Slurm (or the client) turn the job itself down? It will do so again. A protocol error before anything was sent does not count: the
 * answer to the search for an API version was garbled, and the next one may be good.
 */
function isFinal({ kind, delivery }: SlurmError): boolean {
  return kind === 'refused' || (kind === 'protocol' && delivery === 'refused');
}

/** Id of the job that was submitted from this folder. Undefined if none is known. Throws for a record that cannot be read. */
export async function submittedJobId(directory: string): Promise<string | undefined> {
  const known = await readSubmission(join(directory, fileName));
  return known?.state === 'submitted' ? known.job_id : undefined;
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
