/**
 * The life of one job. Only this file knows it (docs/CONTRACTS.md §2–§6):
 *
 *   0. wait for its turn, if the worker's config limits such jobs (turns.ts); it ends with the attempt
 *   1. prepare the attempt's folder: the intent is on disk before anything is sent
 *   2. submit once, or adopt the job that has the attempt's name
 *   3. watch until it is over; show each change of state. Stuck: keep its stacks, cancel it. Training sick (`watch.health`): it saves a checkpoint and ends
 *   4. collect: outcome file, result, what Slurm says → class
 *   5. completed → publish the artifact
 *      else the failure policy: a new attempt (resumed, elsewhere, larger), or ask the operator
 *
 * If the run is cancelled or aborted, at any point, the job is cancelled by name, in a scope that cannot be cancelled. Then the run
 * ends. `JobState` keeps how far the life has come. A run that continues as new enters it again at step 3, or at the question.
 */
import { ActivityFailure, isCancellation, log } from '@temporalio/workflow';
import { decide, policyWith, renewedTally, withAttempt } from '../../domain/jobs/failure-policy.ts';
import type {
  CapturedStacks,
  CollectedAttempt,
  JobObservation,
  PreparedAttempt,
  SubmittedJob,
} from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import {
  answeredChanges,
  beginAsked,
  beginNext,
  changeable,
  decidedChanges,
  futile,
  knownFrom,
  type JobState,
  newJob,
  refusedAttempt,
  stalledAttempt,
  takeRedo,
} from '../../domain/jobs/job-state.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { activityId, attemptName } from '../../domain/names.ts';
import type { OperatorAnswer } from '../../domain/operator-answer.ts';
import { clusterActivities, paces, storeActivities, watchActivities } from '../activity-options.ts';
import { BrokenOff } from '../cut.ts';
import type { JobDesk } from './job-desk.ts';
import { persist, persistCancelled } from '../persisting.ts';
import { cancelling, cancelPersisting, endSaving } from './end-job.ts';
import { isFailure, refuse } from '../failure.ts';
import { MadeElsewhere, standAside } from './stand-aside.ts';
import { leaveTurn, takeTurn } from './turns.ts';

/** Runs a job until its artifact is there. Undefined if the operator skipped it. Throws only on an abort and on cancellation. */
export async function runSlurmJob(order: JobOrder, desk: JobDesk, canSkip: boolean): Promise<ArtifactRef | undefined> {
  const { stage } = order;
  const state = (desk.jobs[stage] ??= { ...newJob });
  desk.orders[stage] = order;
  for (;;) {
    try {
      state.ended ??= await untilEnded(order, state, desk);
    } catch (error) {
      if (!(error instanceof MadeElsewhere)) throw error;
      delete desk.jobs[stage];
      return error.artifact;
    }
    const { collected } = state.ended;
    if (collected.jobClass === 'completed') {
      const artifact = await publish(order, state, collected, desk);
      delete desk.jobs[stage];
      return artifact;
    }
    if (state.over?.unwell !== undefined && order.watch.health === 'stop') {
      throw refuse('TrainingSick', `stage ${stage} was stopped: ${state.over.unwell}`);
    }
    const answer = await askOperator(order, desk, state.ended, canSkip);
    if (answer.action === 'skip') {
      delete desk.jobs[stage];
      return undefined;
    }
    state.tally = renewedTally(state.tally);
    beginNext(state, collected, answeredChanges(state.changes, answer, collected));
  }
}

/** Trainers average each micro-batch by itself. */
const halvingNote = 'the next attempt has half the micro-batch, so its losses differ a little from those before';

/** Attempt after attempt, until one completes or a person must decide. */
async function untilEnded(order: JobOrder, state: JobState, desk: JobDesk): Promise<NonNullable<JobState['ended']>> {
  const policy = policyWith(desk.retries.policy);
  for (;;) {
    const collected = await runAttempt(order, state, desk);
    if (order.turns !== undefined) await leaveTurn(order, state.attempt, desk);
    if (collected.jobClass === 'completed') return { collected, why: '' };
    if (state.over?.unwell !== undefined) {
      return {
        collected,
        why: `${state.over.unwell}. "retry" goes on from the checkpoint, and asks again for other signs only.`,
      };
    }
    if (state.over?.asked === true || state.redo !== undefined) {
      const why = state.redo === undefined ? 'the run was paused' : 'an operator wanted a new attempt';
      const ended = collected.checkpoint === null ? 'ended' : 'saved a checkpoint and ended';
      desk.board.stage(order.stage, { note: `attempt ${state.attempt} ${ended}: ${why}` });
      beginAsked(state, collected);
      continue;
    }
    state.tally = withAttempt(state.tally, collected, policy);
    const decision = decide(state.tally, collected, { maxAttempts: desk.retries.max_attempts, policy });
    const why = decision.action === 'operator' ? decision.why : futile(order, state.changes, decision);
    const halves = why === undefined && decision.changes?.halveMicroBatch === true;
    const note = `attempt ${state.attempt}: ${collected.jobClass}, ${collected.evidence}`;
    desk.board.stage(order.stage, { note: halves ? `${note}; ${halvingNote}` : note });
    if (why !== undefined) return { collected, why };
    beginNext(state, collected, decidedChanges(state.changes, decision, collected));
  }
}

async function runAttempt(order: JobOrder, state: JobState, desk: JobDesk): Promise<CollectedAttempt> {
  const { stage } = order;
  if (desk.pause.isOn && state.prepared === undefined) await desk.pause.isOver(stage);
  if (order.turns !== undefined && state.prepared === undefined) await takeTurn(order, state.attempt, desk);
  if (state.prepared === undefined) takeRedo(state);
  const { attempt, changes } = state;
  const prepared = (state.prepared ??= await persist(desk, stage, paces.store, (retry) =>
    storeActivities.prepareAttempt.executeWithOptions(
      { activityId: activityId(stage, attempt, 'prepare'), summary: `write ${stage} attempt ${attempt}`, ...retry },
      [{ order, attempt, changes }],
    ),
  ));
  if (prepared.elsewhere !== undefined) {
    delete state.prepared;
    await standAside(order, attempt, prepared.elsewhere, desk);
    return runAttempt(order, state, desk);
  }
  try {
    const job = (state.job ??= await submit(order, state, prepared, desk));
    if (job.refused !== undefined) return refusedAttempt(job.refused, changes.excludeNodes);
    state.over ??= await watch(order, state, prepared, job, desk);
    const found = await persist(desk, stage, paces.cluster, (retry) =>
      clusterActivities.collectAttempt.executeWithOptions(
        {
          activityId: activityId(stage, attempt, 'collect'),
          summary: `job ${job.jobId}: outcome and postcondition`,
          ...retry,
        },
        [{ order, prepared, jobId: job.jobId }],
      ),
    );
    const { stalled, stacks } = state.over;
    const collected = stalled === undefined ? found : stalledAttempt(found, stalled, stacks);
    // Such a job may still be in Slurm's queue, held or waiting.
    if (collected.jobClass === 'requeued' || collected.jobClass === 'launch-failed')
      await cancelPersisting(order, prepared, desk);
    const { slurmState, seconds, gpuHours } = collected;
    desk.board.stage(stage, { jobState: collected.jobClass === 'checkpointed' ? 'CHECKPOINTED' : slurmState });
    desk.ledger.push({ stage, attempt, jobId: job.jobId, state: slurmState, seconds, gpuHours });
    return collected;
  } catch (error) {
    // The run was cancelled or aborted, and its job may run, even if the submission's answer never came.
    if (isCancellation(error) || isFailure(error)) {
      await persistCancelled(desk, stage, paces.cluster, cancelling(order, prepared));
    }
    throw error;
  }
}

async function submit(
  order: JobOrder,
  { attempt, changes }: JobState,
  prepared: PreparedAttempt,
  desk: JobDesk,
): Promise<SubmittedJob> {
  const { stage } = order;
  desk.board.start(stage, { attempt, jobState: 'SUBMITTING' });
  const job = await persist(desk, stage, paces.cluster, (retry) =>
    clusterActivities.submitJob.executeWithOptions(
      { activityId: activityId(stage, attempt, 'submit'), summary: prepared.name, ...retry },
      [{ order, attempt, changes }],
    ),
  );
  const note = job.adopted ? { note: 'adopted a job found by its name' } : {};
  if (job.refused === undefined) desk.board.stage(stage, { jobId: job.jobId, jobState: 'PENDING', ...note });
  return job;
}

/** Returns when the job is over, or was stuck and has been ended. */
async function watch(
  order: JobOrder,
  state: JobState,
  prepared: PreparedAttempt,
  { jobId }: SubmittedJob,
  desk: JobDesk,
): Promise<NonNullable<JobState['over']>> {
  const { stage, planned } = order;
  const id = activityId(stage, prepared.attempt, 'watch');
  desk.board.stage(stage, { activityId: id });
  for (;;) {
    if (desk.pause.isOn || state.redo !== undefined) {
      await endSaving(order, prepared, desk);
      return { asked: true };
    }
    const known = state.known ?? { state: 'PENDING', told: [] };
    const input = {
      attempt: prepared,
      jobId,
      stage,
      totalSteps: planned.steps ?? planned.rows,
      watch: order.watch,
      known: state.unwell === undefined ? known : { ...known, unwell: state.unwell },
    };
    const summary = `job ${jobId} (${stage} attempt ${prepared.attempt})`;
    let seen: JobObservation;
    try {
      seen = await persist(desk, stage, paces.watch, (retry) =>
        desk.cut.interruptible(
          () => watchActivities.watchJob.executeWithOptions({ activityId: id, summary, ...retry }, [input]),
          stage,
        ),
      );
    } catch (error) {
      if (error instanceof BrokenOff) continue;
      throw error;
    }
    state.known = knownFrom(seen, known);
    // Slurm says FAILED of a job that saved a checkpoint and ended too. What it was is known once the attempt is collected.
    const jobState = seen.over && seen.state === 'FAILED' ? 'ENDED' : seen.state;
    desk.board.stage(stage, { jobState, note: seen.node === '' ? seen.reason : `on ${seen.node}` });
    if (seen.stuck !== undefined) desk.board.wait(stage, seen.stuck);
    if (seen.over) return {};
    if (seen.unwell !== undefined) {
      state.unwell = [...new Set([...(state.unwell ?? []), ...seen.unwell.kinds])];
      desk.board.stage(stage, { note: seen.unwell.sentence });
      await endSaving(order, prepared, desk);
      return { unwell: seen.unwell.sentence };
    }
    if (seen.stalled !== undefined) {
      const stacks = await endStalled(order, prepared, jobId, desk);
      return { stalled: seen.stalled, ...(stacks === undefined ? {} : { stacks }) };
    }
  }
}

/** Keeps what a stuck job was doing, if it tells, then ends it: its GPUs are worth more elsewhere. */
async function endStalled(
  order: JobOrder,
  prepared: PreparedAttempt,
  jobId: string,
  desk: JobDesk,
): Promise<CapturedStacks | undefined> {
  const { stage } = order;
  let stacks: CapturedStacks | undefined;
  try {
    stacks = await clusterActivities.captureStacks.executeWithOptions(
      {
        activityId: activityId(stage, prepared.attempt, 'stacks'),
        summary: `job ${jobId} is stuck: where?`,
        retry: { maximumAttempts: 3 },
      },
      [{ prepared, jobId }],
    );
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('a stuck job is ended without its stacks', { stage, reason: error.cause?.message ?? error.message });
  }
  await cancelPersisting(order, prepared, desk);
  return stacks;
}

async function publish(order: JobOrder, state: JobState, last: CollectedAttempt, desk: JobDesk): Promise<ArtifactRef> {
  const { run, stage } = order;
  const { attempt } = state;
  const own = Array.from({ length: attempt }, (_, index) => attemptName(run, stage, index + 1));
  const attempts = [...(state.earlier ?? []), ...own];
  const gpuHours = state.gpuHours + last.gpuHours;
  return persist(desk, stage, paces.store, (retry) =>
    storeActivities.publishJob.executeWithOptions(
      { activityId: activityId(stage, attempt, 'publish'), summary: `make ${stage} an artifact`, ...retry },
      [{ order, attempt, attempts, gpuHours, seconds: last.seconds }],
    ),
  );
}

async function askOperator(
  order: JobOrder,
  desk: JobDesk,
  { collected, why }: NonNullable<JobState['ended']>,
  canSkip: boolean,
): Promise<OperatorAnswer> {
  const { stage } = order;
  const { evidence, logTail } = collected;
  return desk.operator.ask({ stage, sentence: `${evidence}. ${why}`, logTail, canSkip, ...changeable(order) });
}
