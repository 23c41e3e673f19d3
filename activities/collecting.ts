/**
 * Collecting an attempt: everything that is known of how it ended, classified. The job's own outcome file; Slurm's word
 * (slurmctld, then slurmdb) unless that file says exit 0; the trainer's result; and the postcondition (contracts.md §2.4).
 * Reads only, but for the attempt's claim: with it the attempt is closed before it is judged.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { SlurmJob } from 'slurm-rest-client';
import { classifyOutcome, type JobFacts } from '../domain/job-outcome.ts';
import type { CollectedAttempt, PreparedAttempt } from '../domain/job-life.ts';
import type { JobOrder } from '../domain/job-spec.ts';
import { attemptFiles } from '../domain/names.ts';
import { jobKind } from '../domain/plan.ts';
import { closeAttempt } from './attempt-closing.ts';
import { findOutcome, saysDone, findResult, type Found, listCheckpoints, tailText } from './attempt-files.ts';
import { readMetrics } from './attempt-metrics.ts';
import type { ActivityDeps } from './deps.ts';
import { toFailure } from './failure.ts';

const logTailBytes = 2_000;

type Deps = Pick<ActivityDeps, 'slurm' | 'accounting'>;

export interface CollectInput {
  order: JobOrder;
  prepared: PreparedAttempt;
  jobId: string;
}

export function createCollectActivities(deps: Deps) {
  return {
    async collectAttempt({ order, prepared, jobId }: CollectInput): Promise<CollectedAttempt> {
      const { directory } = prepared;
      await closing(directory, prepared.name);
      const outcome = ours(await findOutcome(directory), prepared.name);
      // After exit 0 only the postcondition counts: Slurm is not asked what could change nothing.
      const done = saysDone(outcome, prepared.name);
      const { job, unheard } = done ? nobodyAsked : await lookUp(deps, jobId, prepared.name);
      const result = ours(await findResult(directory), prepared.name);
      const facts: JobFacts = {
        slurm: job === undefined ? undefined : slurmFacts(job),
        outcome: value(outcome),
        outcomeFault: fault(outcome),
        result: value(result),
        resultFault: fault(result),
        planned: order.planned,
        outputPresent: await outputIsThere(order, directory),
      };
      const { jobClass, evidence } = classifyOutcome(facts);
      const seconds = runSeconds(job, facts.outcome);
      const checkpoints = await listCheckpoints(directory);
      return {
        jobClass,
        evidence: unheard === undefined ? evidence : `${evidence}; slurmdbd did not say how it ended (${unheard})`,
        logTail: await tailText(join(directory, attemptFiles.log), logTailBytes),
        node: job?.failedNode ?? job?.nodes[0] ?? facts.outcome?.host ?? '',
        progress: await progressOf(order, directory),
        checkpoint: checkpoints.at(-1) ?? null,
        gpuHours: (seconds / 3600) * order.resources.nodes * order.resources.gpus_per_node,
        seconds,
        slurmState: job?.state ?? (done ? 'COMPLETED' : 'VANISHED'),
      };
    },
  };
}

async function closing(directory: string, name: string): Promise<void> {
  await closeAttempt(directory).catch((error: unknown) => {
    throw toFailure(error, `close attempt "${name}"`);
  });
}

/** What Slurm says of a job. `unheard`: why slurmdbd, which alone could know it, said nothing. */
interface SlurmWord {
  job: SlurmJob | undefined;
  unheard?: string;
}
const nobodyAsked: SlurmWord = { job: undefined };

async function lookUp(deps: Deps, jobId: string, name: string): Promise<SlurmWord> {
  return findJob(deps, jobId, name).catch((error: unknown) => {
    throw toFailure(error, `look up job ${jobId} ("${name}")`);
  });
}

/** The job as slurmctld knows it, else the last row of slurmdb under this id *and* name (ids are reused). */
async function findJob(deps: Deps, jobId: string, name: string): Promise<SlurmWord> {
  const current = await deps.slurm.getJob(jobId);
  if (current !== undefined && current.name === name) return { job: current };
  const records = await deps.accounting.byId(jobId);
  if (records.kind === 'unanswered') return { job: undefined, unheard: records.why };
  // slurmdbd lags: a job that has just ended may stand there as "allocation" for a second or two.
  return { job: records.rows.filter((job) => job.name === name || job.name === 'allocation').at(-1) };
}

function slurmFacts(job: SlurmJob): NonNullable<JobFacts['slurm']> {
  const { source, state, flags, reason, exit, failedNode, cancelledBy, nodes, restartCount: restarts } = job;
  return { source, state, flags, reason, exit, failedNode, cancelledBy, nodes, restarts };
}

/** A file that names another attempt is evidence of a fault, not of how this one ended. */
function ours<T extends { name: string }>(found: Found<T>, name: string): Found<T> {
  if (found.kind !== 'read' || found.value.name === name) return found;
  return { kind: 'unreadable', why: `a file of attempt "${found.value.name}" stands in the folder of "${name}"` };
}

function value<T>(found: Found<T>): T | undefined {
  return found.kind === 'read' ? found.value : undefined;
}

function fault(found: Found<unknown>): string | undefined {
  return found.kind === 'unreadable' ? found.why : undefined;
}

async function outputIsThere(order: JobOrder, directory: string): Promise<boolean> {
  const file = jobKind(order.stage) === 'predict' ? 'predictions.jsonl' : 'config.json';
  return access(join(directory, attemptFiles.output, file)).then(
    () => true,
    () => false,
  );
}

async function progressOf(order: JobOrder, directory: string): Promise<number | null> {
  const newest = (await readMetrics(directory)).at(-1);
  if (newest === undefined) return null;
  return (jobKind(order.stage) === 'predict' ? newest.rows : newest.step) ?? null;
}

/** Run time in seconds: Slurm's times, else the job script's own. */
function runSeconds(job: SlurmJob | undefined, outcome: JobFacts['outcome']): number {
  if (job?.startTime !== undefined && job.endTime !== undefined) {
    return Math.max(0, (job.endTime.getTime() - job.startTime.getTime()) / 1000);
  }
  if (outcome === undefined) return 0;
  return Math.max(0, (Date.parse(outcome.ended_at) - Date.parse(outcome.started_at)) / 1000);
}
