/**
 * Earlier runs: what a run that resumes another one (`plan.resumes`) does beside all others.
 *
 *   1. before its first job: the jobs that the earlier runs still have are ended, with a checkpoint
 *   2. before each job whose artifact is not there: it goes on from the newest complete checkpoint of the same key
 *
 * What is finished needs nothing: an artifact that stands is reused in any run.
 */
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { resumedJob } from '../../domain/jobs/job-state.ts';
import { activityId, type Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { clusterActivities, paces, storeActivities } from '../activity-options.ts';
import type { JobDesk } from './job-desk.ts';
import { type Desk, persist } from '../persisting.ts';

export type ResumedPlan = RunPlan & { resumes: string };

/** Does the run go on where another one ended? One that does not must not wait here, not even for what is there at once: the order of its commands would change. */
export function isResumed(plan: RunPlan): plan is ResumedPlan {
  return plan.resumes !== undefined;
}

/** Waits, as stage `name`, while one of the earlier runs goes on. */
export async function endEarlierJobs({ resumes, recipe }: ResumedPlan, desk: Desk, name: Stage): Promise<void> {
  await persist(desk, name, paces.cluster, (retry) =>
    clusterActivities.endEarlierJobs.executeWithOptions(
      { activityId: 'run-end-earlier', summary: `end jobs that ${resumes} may have left`, ...retry },
      [{ resumes, seconds: recipe.watch.checkpoint_seconds }],
    ),
  );
}

/** Puts a job that no attempt of this run has begun where the earlier runs left it. */
export async function takeOver({ resumes }: ResumedPlan, desk: JobDesk, order: JobOrder): Promise<void> {
  const { stage } = order;
  if (desk.jobs[stage] !== undefined) return;
  const earlier = await persist(desk, stage, paces.store, (retry) =>
    storeActivities.findEarlierAttempts.executeWithOptions(
      { activityId: activityId(stage, 0, 'take-over'), summary: `what ${resumes} left of ${stage}`, ...retry },
      [{ order, resumes }],
    ),
  );
  desk.jobs[stage] = resumedJob(earlier);
  const last = earlier.attempts.at(-1);
  if (earlier.checkpoint !== null) desk.board.stage(stage, { note: `goes on from a checkpoint of ${last ?? resumes}` });
}
