/**
 * examineCluster: what `critic doctor` asks.
 *
 *   1. one job on each partition, all at once (activity `examinePartition`)
 *   2. if it is cancelled, or fails: cancel these jobs by their names, since nobody else would (the reaper knows attempts alone)
 */
import { ActivityCancellationType, CancellationScope } from '@temporalio/workflow';
import { examinationMinutes, examinationName, type Examined, type ExaminationOrder } from '../../domain/examination.ts';
import { activitiesAt, clusterActivities } from '../activity-options.ts';

const activities = activitiesAt('watch', {
  heartbeatTimeout: '30 seconds',
  scheduleToCloseTimeout: '2 hours',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

export async function examineCluster(orders: ExaminationOrder[]): Promise<Examined[]> {
  try {
    return await Promise.all(
      orders.map(async (order) =>
        activities.examinePartition.executeWithOptions(
          {
            activityId: examinationName(order),
            summary: `look at ${order.partition ?? 'the default partition'}, at most ${examinationMinutes} min`,
          },
          [order],
        ),
      ),
    );
  } catch (error) {
    await CancellationScope.nonCancellable(async () => cancelAll(orders));
    throw error;
  }
}

async function cancelAll(orders: readonly ExaminationOrder[]): Promise<void> {
  await Promise.all(
    orders
      .map(examinationName)
      .map(async (name) =>
        clusterActivities.cancelJob.executeWithOptions({ activityId: `${name}-cancel`, summary: `cancel ${name}` }, [
          { name },
        ]),
      ),
  );
}
