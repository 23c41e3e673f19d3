/**
 * The life of one job, and the only place that knows it (contracts.md §2–§6):
 *
 *   1. prepare the attempt's folder: the intent is on disk before anything is sent
 *   2. submit once, or adopt what stands under the attempt's name
 *   3. watch until it is over; show each change of state. Stuck: keep its stacks, cancel it
 *   4. collect: outcome file, result, Slurm's word → class
 *   5. completed → publish the artifact
 *      else the failure policy: a new attempt (resumed, elsewhere, larger), or ask the operator
 *
 * Cancelled at any point: the job is cancelled by name in a scope that cannot be cancelled, then the cancellation goes on.
 */
import { ApplicationFailure, CancellationScope, isCancellation } from '@temporalio/workflow';
import { type Decision, decide, type PastAttempt, policyWith } from '../domain/failure-policy.ts';
import type { CapturedStacks, CollectedAttempt, PreparedAttempt, SubmittedJob } from '../domain/job-life.ts';
import { type AttemptChanges, firstAttempt, type JobOrder } from '../domain/job-spec.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { activityId, attemptName } from '../domain/names.ts';
import type { Recipe } from '../domain/recipe.ts';
import { clusterActivities, storeActivities, watchActivities } from './activity-options.ts';
import type { OperatorDesk } from './operator.ts';
import type { RunBoard } from './run-board.ts';

export interface JobDesk {
  board: RunBoard;
  operator: OperatorDesk;
  /** The recipe's word on failures. */
  retries: Recipe['retries'];
  /** Jobs as they ended, for the report. */
  ledger: JobRecord[];
}

/** One ended job, for the report. */
export interface JobRecord {
  stage: JobOrder['stage'];
  attempt: number;
  jobId: string;
  state: string;
  seconds: number;
  gpuHours: number;
}

/** Runs a job to its artifact; undefined if the operator skipped it. Throws only if the operator aborts or on cancellation. */
export async function runSlurmJob(order: JobOrder, desk: JobDesk, canSkip: boolean): Promise<ArtifactRef | undefined> {
  const limits = { maxAttempts: desk.retries.max_attempts, policy: policyWith(desk.retries.policy) };
  const past: PastAttempt[] = [];
  const names: string[] = [];
  let changes = firstAttempt;
  for (let attempt = 1; ; attempt += 1) {
    const collected = await runAttempt(order, attempt, changes, desk);
    names.push(attemptName(order.run, order.stage, attempt));
    if (collected.jobClass === 'completed') return publish(order, attempt, names, collected, past);
    past.push(pastAttempt(collected));
    desk.board.stage(order.stage, { note: `attempt ${attempt}: ${collected.jobClass}, ${collected.evidence}` });
    const decision = decide(past, limits);
    const next =
      decision.action === 'retry'
        ? applyDecision(changes, decision, collected)
        : await askOperator(order, desk, decision.why, collected, canSkip, changes);
    if (next === undefined) return undefined;
    changes = next;
  }
}

async function runAttempt(
  order: JobOrder,
  attempt: number,
  changes: AttemptChanges,
  desk: JobDesk,
): Promise<CollectedAttempt> {
  const { stage } = order;
  const prepared = await storeActivities.prepareAttempt.executeWithOptions(
    { activityId: activityId(stage, attempt, 'prepare'), summary: `write ${stage} attempt ${attempt}` },
    [{ order, attempt, changes }],
  );
  try {
    desk.board.stage(stage, { status: 'running', attempt, jobState: 'SUBMITTING' });
    const job = await clusterActivities.submitJob.executeWithOptions(
      { activityId: activityId(stage, attempt, 'submit'), summary: prepared.name },
      [{ order, attempt, changes }],
    );
    if (job.refused !== undefined) return refusedAttempt(job.refused, changes.excludeNodes);
    desk.board.stage(stage, { jobId: job.jobId, ...(job.adopted ? { note: 'adopted a job found by its name' } : {}) });
    const stalled = await watch(order, prepared, job, desk);
    const stacks = stalled === undefined ? undefined : await endStalled(order, prepared, job);
    const found = await clusterActivities.collectAttempt.executeWithOptions(
      { activityId: activityId(stage, attempt, 'collect'), summary: `job ${job.jobId}: outcome and postcondition` },
      [{ order, prepared, jobId: job.jobId }],
    );
    const collected = stalled === undefined ? found : stalledAttempt(found, stalled, stacks);
    const { slurmState: state, seconds, gpuHours } = collected;
    desk.board.stage(stage, { jobState: state });
    desk.ledger.push({ stage, attempt, jobId: job.jobId, state, seconds, gpuHours });
    if (collected.jobClass === 'requeued') await cancelForCertain(order, prepared);
    return collected;
  } catch (error) {
    if (isCancellation(error)) await cancelForCertain(order, prepared);
    throw error;
  }
}

/** Returns when the job is over, or with a clause when it is stuck. */
async function watch(
  order: JobOrder,
  prepared: PreparedAttempt,
  job: SubmittedJob,
  desk: JobDesk,
): Promise<string | undefined> {
  const { stage } = order;
  const id = activityId(stage, prepared.attempt, 'watch');
  desk.board.stage(stage, { activityId: id });
  let lastState = '';
  for (;;) {
    const seen = await watchActivities.watchJob.executeWithOptions(
      { activityId: id, summary: `job ${job.jobId} (${stage} attempt ${prepared.attempt})` },
      [
        {
          attempt: prepared,
          jobId: job.jobId,
          stage,
          totalSteps: order.planned.steps ?? order.planned.rows,
          watch: order.watch,
          lastState,
        },
      ],
    );
    lastState = `${seen.state} ${seen.reason}`.trim();
    const note = seen.stuck ?? (seen.node === '' ? seen.reason : `on ${seen.node}`);
    desk.board.stage(stage, { jobState: seen.state, note });
    desk.board.blocked(stage, seen.stuck !== undefined);
    if (seen.over) return undefined;
    if (seen.stalled !== undefined) return seen.stalled;
  }
}

/** Keeps what a stuck job was doing, then ends it: its GPUs are worth more elsewhere. */
async function endStalled(order: JobOrder, prepared: PreparedAttempt, job: SubmittedJob): Promise<CapturedStacks> {
  const stacks = await clusterActivities.captureStacks.executeWithOptions(
    { activityId: activityId(order.stage, prepared.attempt, 'stacks'), summary: `job ${job.jobId} is stuck: where?` },
    [{ prepared, jobId: job.jobId }],
  );
  await cancelForCertain(order, prepared);
  return stacks;
}

/** A stuck attempt, unless it had finished its work after all. */
function stalledAttempt(found: CollectedAttempt, why: string, stacks: CapturedStacks | undefined): CollectedAttempt {
  if (found.jobClass === 'completed') return found;
  const where = stacks === undefined || stacks.tail === '' ? 'it left no stacks' : `stacks in ${stacks.path}`;
  const logTail = stacks === undefined || stacks.tail === '' ? found.logTail : stacks.tail;
  return { ...found, jobClass: 'stalled', evidence: `${why}; ${where}`, logTail };
}

/** An attempt that Slurm turned down: there is no job to watch or collect. */
function refusedAttempt(said: string, setAside: string[]): CollectedAttempt {
  const evidence = setAside.length === 0 ? said : `${said}; set aside after failures: ${setAside.join(', ')}`;
  const nothing = { logTail: '', node: '', progress: null, checkpoint: null, gpuHours: 0, seconds: 0 };
  return { jobClass: 'refused', evidence, slurmState: 'REFUSED', ...nothing };
}

/** Cancels whatever runs under the attempt's name, even if the submit's answer never came. Survives the cancellation. */
async function cancelForCertain(order: JobOrder, prepared: PreparedAttempt): Promise<void> {
  await CancellationScope.nonCancellable(() =>
    clusterActivities.cancelJob.executeWithOptions(
      { activityId: activityId(order.stage, prepared.attempt, 'cancel'), summary: `cancel ${prepared.name}` },
      [{ name: prepared.name }],
    ),
  );
}

async function publish(
  order: JobOrder,
  attempt: number,
  names: string[],
  last: CollectedAttempt,
  past: PastAttempt[],
): Promise<ArtifactRef> {
  const gpuHours = past.reduce((sum, one) => sum + one.gpuHours, last.gpuHours);
  return storeActivities.publishJob.executeWithOptions(
    { activityId: activityId(order.stage, attempt, 'publish'), summary: `make ${order.stage} an artifact` },
    [{ order, attempt, attempts: names, gpuHours, seconds: last.seconds }],
  );
}

async function askOperator(
  order: JobOrder,
  desk: JobDesk,
  why: string,
  collected: CollectedAttempt,
  canSkip: boolean,
  changes: AttemptChanges,
): Promise<AttemptChanges | undefined> {
  const sentence = `${order.stage}: ${collected.evidence}. ${why}`;
  const answer = await desk.operator.ask({ stage: order.stage, sentence, logTail: collected.logTail, canSkip });
  if (answer.action === 'abort') {
    throw ApplicationFailure.nonRetryable(
      `stage ${order.stage} aborted by the operator: ${collected.evidence}`,
      'Aborted',
    );
  }
  if (answer.action === 'skip') return undefined;
  return {
    ...changes,
    resumeFrom: collected.checkpoint ?? changes.resumeFrom,
    // Nodes that were set aside by themselves have a new chance: somebody has looked, and there may be no other nodes.
    excludeNodes: answer.excludeNodes ?? [],
    timeLimitMinutes: answer.timeLimitMinutes ?? changes.timeLimitMinutes,
    memoryFactor: answer.memoryFactor ?? changes.memoryFactor,
  };
}

function applyDecision(changes: AttemptChanges, decision: Decision, collected: CollectedAttempt): AttemptChanges {
  return {
    ...changes,
    resumeFrom: decision.resume ? (collected.checkpoint ?? changes.resumeFrom) : null,
    excludeNodes: [...changes.excludeNodes, ...decision.excludeNodes],
    memoryFactor: changes.memoryFactor * (decision.changes?.memoryFactor ?? 1),
    microBatchHalvings: changes.microBatchHalvings + (decision.changes?.halveMicroBatch === true ? 1 : 0),
  };
}

function pastAttempt(collected: CollectedAttempt): PastAttempt {
  const { jobClass, evidence, node, progress, gpuHours } = collected;
  return { jobClass, evidence, node, progress, gpuHours };
}
