/** How a job under way is ended: asked to save a checkpoint, or cancelled. */
import type { PreparedAttempt } from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { activityId } from '../../domain/names.ts';
import { clusterActivities, paces, type RoundRetry } from '../activity-options.ts';
import type { JobDesk } from './job-desk.ts';
import { persist, tellNotClosed } from '../persisting.ts';

/** Has the job save a checkpoint and end. */
export async function endSaving(order: JobOrder, prepared: PreparedAttempt, desk: JobDesk): Promise<void> {
  const { stage } = order;
  const id = activityId(stage, prepared.attempt, 'end');
  desk.board.stage(stage, { activityId: id, jobState: 'CHECKPOINTING' });
  const ended = await persist(desk, stage, paces.cluster, (retry) =>
    clusterActivities.endJob.executeWithOptions(
      { activityId: id, summary: `${prepared.name}: save a checkpoint and end`, ...retry },
      [{ name: prepared.name, seconds: order.watch.checkpoint_seconds }],
    ),
  );
  tellNotClosed(desk, stage, ended);
}

export async function cancelPersisting(order: JobOrder, prepared: PreparedAttempt, desk: JobDesk): Promise<void> {
  const { stage } = order;
  tellNotClosed(desk, stage, await persist(desk, stage, paces.cluster, cancelling(order, prepared)));
}

/** Cancels whatever runs under the attempt's name. */
export function cancelling(order: JobOrder, prepared: PreparedAttempt) {
  return (retry: RoundRetry) =>
    clusterActivities.cancelJob.executeWithOptions(
      {
        activityId: activityId(order.stage, prepared.attempt, 'cancel'),
        summary: `cancel ${prepared.name}`,
        ...retry,
      },
      [{ name: prepared.name }],
    );
}
