/**
 * Activity options: the proxies of all activities, grouped by how they behave. `cancellationType` is always set, since
 * the SDK's real default is TRY_CANCEL. Types of activities only: their code never enters the workflow bundle.
 */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { taskQueues } from '../domain/names.ts';

/** Short reads and writes on the store. Hashing a 7B model takes minutes, so heartbeats bound them, not a deadline. */
export const storeActivities = proxyActivities<Activities>({
  taskQueue: taskQueues.cluster,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '2 minutes',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/**
 * Submit, collect, cancel. An ambiguous submission is looked for by name for as long as the controller is unwell, so
 * there is no limit on attempts: giving up would mean not knowing whether a job exists.
 */
export const clusterActivities = proxyActivities<Activities>({
  taskQueue: taskQueues.cluster,
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '2 minutes',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2 seconds', backoffCoefficient: 1.5, maximumInterval: '30 seconds' },
});

/**
 * Watchers: one long heartbeating activity a job. Worker restarts, pauses and resets all end an attempt, so attempts are
 * unlimited and the backoff is flat: an exponential one would never come back down after days.
 */
export const watchActivities = proxyActivities<Activities>({
  taskQueue: taskQueues.watch,
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '30 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2 seconds', backoffCoefficient: 1, maximumInterval: '2 seconds' },
});

/**
 * Synthesis: hours of requests with a row log on disk; a new attempt asks only what is missing. A worker that died is noticed
 * within ten seconds, for all that time nothing is asked; one that only stood still finds its lease taken.
 */
export const llmActivities = proxyActivities<Activities>({
  taskQueue: taskQueues.llm,
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});
