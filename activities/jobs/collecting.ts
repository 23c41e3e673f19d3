/**
 * Collecting an attempt: everything that is known of how it ended, with its class. It looks at the job's own outcome file, at what Slurm
 * says (slurmctld, then slurmdbd) unless that file says exit 0, at the trainer's result, and at the postcondition (docs/CONTRACTS.md §2).
 * It only reads, except that it takes the attempt's claim: an attempt is closed before it is judged.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SlurmJob } from 'slurm-rest-client';
import type { EngineRules } from '../../domain/engines/engine.ts';
import { engines } from '../../domain/engines/registry.ts';
import { classifyOutcome, type JobFacts } from '../../domain/jobs/job-outcome.ts';
import type { CollectedAttempt, PreparedAttempt } from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { Outcome, TrainerResult } from '../../domain/manifest.ts';
import { attemptFiles, countsRows, jobKind, type JobKind } from '../../domain/names.ts';

import { lookUntil, viewAgeMs, whenListed } from '../../files/fresh-look.ts';
import { closeAttempt } from './attempt-closing.ts';
import { findOutcome, saysDone, findResult, type Found, listCheckpoints, tailText } from './attempt-files.ts';
import { readMetrics } from './attempt-metrics.ts';
import type { JobDeps } from './deps.ts';
import { passing, toFailure } from '../failure.ts';
import { listFiles } from '../store/folder-files.ts';
import { heartbeating } from '../heartbeating.ts';

const logTailBytes = 2_000;
/** The trainer's exit code for "checkpointed, resume me". */
const checkpointed = 85;

type Deps = Pick<JobDeps, 'slurm' | 'accounting'>;

export interface CollectInput {
  order: JobOrder;
  prepared: PreparedAttempt;
  jobId: string;
}

export function createCollectActivities(deps: Deps) {
  return {
    collectAttempt: (input: CollectInput): Promise<CollectedAttempt> =>
      heartbeating('collecting', () => collect(deps, input)),
  };
}

async function collect(deps: Deps, { order, prepared, jobId }: CollectInput): Promise<CollectedAttempt> {
  const { directory, name } = prepared;
  const begun = (await closing(directory, name)) === 'begun';
  const first = ours(await findOutcome(directory), name);
  // After exit 0 only the postcondition counts, so Slurm is not asked.
  const { job, unheard } = saysDone(first, name) ? nobodyAsked : await lookUpJob(deps, jobId, name);
  // If no job has begun it, nothing that it left can be late.
  const left = await leftBehind(order, directory, name, begun ? await viewAgeMs(directory) : 0);
  const facts: JobFacts = {
    slurm: job === undefined ? undefined : slurmFacts(job),
    outcome: value(left.outcome),
    outcomeFault: fault(left.outcome),
    result: value(left.result),
    resultFault: fault(left.result),
    planned: order.planned,
    outputPresent: left.outputPresent,
    outputFault: left.outputFault,
  };
  const { jobClass, evidence } = classifyOutcome(facts);
  const done = saysDone(left.outcome, name);
  const seconds = runSeconds(job, facts.outcome);
  return {
    jobClass,
    evidence: unheard === undefined || done ? evidence : `${evidence}; slurmdbd did not say how it ended (${unheard})`,
    logTail: await tailText(join(directory, attemptFiles.log), logTailBytes),
    node: job?.failedNode ?? job?.nodes[0] ?? facts.outcome?.host ?? '',
    progress: keptProgress(order, left),
    checkpoint: left.checkpoint,
    gpuHours: (seconds / 3600) * order.resources.nodes * order.resources.gpus_per_node,
    seconds,
    slurmState: job?.state ?? (done ? 'COMPLETED' : 'VANISHED'),
  };
}

/** What the job has left. Slurm says within seconds that it is over; what it wrote may be seen here a minute later. */
export interface LeftBehind {
  outcome: Found<Outcome>;
  result: Found<TrainerResult>;
  outputPresent: boolean;
  outputFault: string | undefined;
  progress: number | null;
  /** To go on from. */
  checkpoint: string | null;
}

/**
 * Reads what is due, and waits up to `patienceMs` for it: nothing counts as missing that this machine may not see yet. A job that was
 * killed leaves no outcome; then the whole time is waited once.
 */
export async function leftBehind(
  order: JobOrder,
  directory: string,
  name: string,
  patienceMs: number,
): Promise<LeftBehind> {
  const until = performance.now() + patienceMs;
  const due = <T>(look: () => Promise<T>, isThere: (seen: T) => boolean) =>
    lookUntil(look, isThere, Math.max(0, until - performance.now()));
  const outcome = ours(
    await due(
      () => findOutcome(directory),
      ({ kind }) => kind !== 'absent',
    ),
    name,
  );
  const done = saysDone(outcome, name);
  const result = await due(
    () => findResult(directory),
    ({ kind }) => !done || kind !== 'absent',
  );
  const outputPresent = await due(
    () => outputIsThere(order, directory),
    (isThere) => !done || isThere,
  );
  const outputFault = done && outputPresent ? await findOutputFault(order, directory) : undefined;
  const progress = await progressOf(order, directory);
  const steps = done || countsRows(order.stage) ? 0 : (progress ?? 0);
  const asked = outcome.kind === 'read' && outcome.value.exit_code === checkpointed;
  // Without a checkpoint the next attempt begins at step 0, so one that may be there is waited for. After the exit code that says
  // "checkpointed" it is the one of the last step.
  const checkpoints = await due(
    () => listCheckpoints(directory),
    (found) => {
      const newest = found.at(-1);
      return steps === 0 || (newest !== undefined && (!asked || stepOf(newest) >= steps));
    },
  );
  const checkpoint = checkpoints.filter((path) => canGoOn(order, path)).at(-1) ?? null;
  return { outcome, result: ours(result, name), outputPresent, outputFault, progress, checkpoint };
}

/** Is a step left to do after this checkpoint, or can the engine make the model from it alone? */
export function canGoOn(
  { planned, engine }: { planned: Pick<JobOrder['planned'], 'steps'>; engine: Pick<JobOrder['engine'], 'name'> },
  checkpoint: string,
): boolean {
  const rules: EngineRules<never> = engines[engine.name];
  return rules.canFinish === true || planned.steps === null || stepOf(checkpoint) < planned.steps;
}

function stepOf(checkpoint: string): number {
  return Number(/-(\d+)$/.exec(checkpoint)?.[1] ?? 0);
}

/** The folder was prepared. If it is not seen, it is not seen yet, and that is tried again. */
async function closing(directory: string, name: string): Promise<'closed' | 'begun'> {
  const attempted = `close attempt "${name}"`;
  const state = await closeAttempt(directory).catch((error: unknown) => {
    throw toFailure(error, attempted);
  });
  if (state !== 'absent') return state;
  throw passing('SystemError', `${attempted}: its folder "${directory}" is not seen`);
}

/** What Slurm says of a job. `unheard`: why slurmdbd said nothing, if nobody else could know it. */
interface SlurmWord {
  job: SlurmJob | undefined;
  unheard?: string;
}
const nobodyAsked: SlurmWord = { job: undefined };

export async function lookUpJob(deps: Deps, jobId: string, name: string): Promise<SlurmWord> {
  return findJob(deps, jobId, name).catch((error: unknown) => {
    throw toFailure(error, `look up job ${jobId} ("${name}")`);
  });
}

/** The job as slurmctld knows it, else the last row of slurmdbd with this id *and* name (ids are reused). */
async function findJob(deps: Deps, jobId: string, name: string): Promise<SlurmWord> {
  const current = await deps.slurm.getJob(jobId);
  if (current !== undefined && current.name === name) return { job: current };
  const records = await deps.accounting.byId(jobId);
  if (records.kind === 'unanswered') return { job: undefined, unheard: records.why };
  // slurmdbd lags: for a second or two it may call a job that has just ended "allocation".
  return { job: records.rows.filter((job) => job.name === name || job.name === 'allocation').at(-1) };
}

function slurmFacts(job: SlurmJob): NonNullable<JobFacts['slurm']> {
  const { source, state, flags, reason, exit, failedNode, cancelledBy, nodes, restartCount: restarts } = job;
  return { source, state, flags, reason, exit, failedNode, cancelledBy, nodes, restarts };
}

/** A file that names another attempt is evidence of a fault. It does not say how this attempt ended. */
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

/** A file that every output of this kind has. */
const outputFile: Record<JobKind, string> = {
  tokenize: 'dataset_dict.json',
  sft: 'config.json',
  grpo: 'config.json',
  predict: 'predictions.jsonl',
};

async function outputIsThere(order: JobOrder, directory: string): Promise<boolean> {
  const file = `${attemptFiles.output}/${outputFile[jobKind(order.stage)]}`;
  const found = await whenListed(directory, file, (path) => lstat(path));
  return found?.isFile() ?? false;
}

/** An artifact holds regular files alone. Of predictions one file is published; of other jobs the whole folder. */
async function findOutputFault(order: JobOrder, directory: string): Promise<string | undefined> {
  if (jobKind(order.stage) === 'predict') return undefined;
  const { faults } = await listFiles(join(directory, attemptFiles.output));
  return faults[0] === undefined ? undefined : `the output cannot be published: ${faults[0]}`;
}

/**
 * What the next attempt need not do again: rows of predictions, or steps of training up to the newest checkpoint (all if it is done).
 * Steps that no checkpoint holds are no progress: each attempt would do them again.
 */
export function keptProgress(order: JobOrder, { outcome, progress, checkpoint }: LeftBehind): number | null {
  if (jobKind(order.stage) === 'predict' || (outcome.kind === 'read' && outcome.value.exit_code === 0)) return progress;
  return checkpoint === null ? null : stepOf(checkpoint);
}

async function progressOf(order: JobOrder, directory: string): Promise<number | null> {
  const newest = (await readMetrics(directory)).at(-1);
  if (newest === undefined) return null;
  return (countsRows(order.stage) ? newest.rows : newest.step) ?? null;
}

/** Run time in seconds: Slurm's times, else the job script's own. */
export function runSeconds(job: SlurmJob | undefined, outcome: JobFacts['outcome']): number {
  if (job?.startTime !== undefined && job.endTime !== undefined) {
    return Math.max(0, (job.endTime.getTime() - job.startTime.getTime()) / 1000);
  }
  if (outcome === undefined) return 0;
  return Math.max(0, (Date.parse(outcome.ended_at) - Date.parse(outcome.started_at)) / 1000);
}
