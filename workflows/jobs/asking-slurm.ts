/**
 * Asking Slurm before an operator's changes are taken: what it would refuse ends no job and answers no question. The look has no side effect. While it
 * goes on the job works on; if the worker dies meanwhile, the next one looks again. Where Slurm does not answer, a job under way is left alone, and
 * an answer to a question is taken: its job has ended, and the submission tells.
 */
import { ActivityFailure, isCancellation, patched } from '@temporalio/workflow';
import { concernsSlurm } from '../../domain/jobs/change-check.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { JobState } from '../../domain/jobs/job-state.ts';
import { isJobStage, type JobStage } from '../../domain/names.ts';
import type { OperatorAnswer } from '../../domain/operator-answer.ts';
import { lookActivities } from '../activity-options.ts';
import { refuse } from '../failure.ts';

interface Desk {
  jobs: Partial<Record<JobStage, JobState>>;
  orders: Partial<Record<JobStage, JobOrder>>;
}

/**
 * Undefined: there is nothing to ask, and the changes may be taken at once. The promise fails with what Slurm would refuse. `isAsked`: the stage waits
 * for an answer.
 */
export function askSlurm({ jobs, orders }: Desk, wanted: OperatorAnswer, isAsked: boolean): Promise<void> | undefined {
  const { stage } = wanted;
  if (!isJobStage(stage) || !concernsSlurm(wanted)) return undefined;
  const order = orders[stage];
  const job = jobs[stage];
  // A run of an earlier release has taken such changes unseen.
  if (order === undefined || job === undefined || !patched('slurm-is-asked-of-changes')) return undefined;
  return requireTaken(order, job, wanted, isAsked);
}

async function requireTaken(order: JobOrder, job: JobState, wanted: OperatorAnswer, isAsked: boolean): Promise<void> {
  const { stage, resources } = order;
  // An answer gives nodes that were set aside a new chance.
  const changes = isAsked ? { ...job.changes, excludeNodes: [] } : job.changes;
  const summary = `${stage}: would Slurm take the changes?`;
  try {
    const check = { resources, changes, wanted: { ...job.redo, ...wanted } };
    const { faults } = await lookActivities.checkChanges.executeWithOptions({ summary }, [check]);
    if (faults.length > 0) throw refuse('Refused', `${faults.join('; ')}; stage "${stage}" was left as it is`);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    if (isAsked) return;
    const why = error.cause?.message ?? error.message;
    throw refuse(
      'Refused',
      `stage "${stage}" was left as it is, since nobody can say whether Slurm takes the changes: ${why}`,
    );
  }
}
