/**
 * Activity options: the proxies of all activities, grouped by how they behave. `cancellationType` is always set, since
 * the SDK's real default is TRY_CANCEL. It imports only types of activities, so their code never enters the workflow bundle.
 */
import { ActivityCancellationType, type ActivityOptions, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { clusterOfQueue, type QueueUse, queueOf } from '../domain/clusters.ts';

/** How the tries of an activity follow each other: the first pause in seconds, the factor from pause to pause, the longest pause. */
export interface RetryPace {
  first: number;
  times: number;
  most: number;
}

/** The part of an activity's options that bounds one round of tries (workflows/persisting.ts). */
export interface RoundRetry {
  retry: ReturnType<typeof retryOf> & { maximumAttempts: number };
}

export const paces = {
  store: { first: 2, times: 2, most: 60 },
  /** An ambiguous submission is looked for by name as long as the controller is unwell: whoever gives up does not know. */
  cluster: { first: 2, times: 1.5, most: 30 },
  /** Flat: restarts of the worker, pauses and resets end a try, and an exponential pause would stay long after days. */
  watch: { first: 2, times: 1, most: 2 },
  llm: { first: 1, times: 2, most: 60 },
} as const satisfies Record<string, RetryPace>;

function retryOf({ first, times, most }: RetryPace) {
  return {
    initialInterval: `${first} seconds`,
    backoffCoefficient: times,
    maximumInterval: `${most} seconds`,
  } as const;
}

/** As many tries as fit into `seconds`, counting only the pauses between them. At least two. */
export function roundOf(pace: RetryPace, seconds: number): RoundRetry {
  let [pause, sum, maximumAttempts]: [number, number, number] = [pace.first, pace.first, 2];
  for (;;) {
    pause = Math.min(pace.most, pause * pace.times);
    sum += pause;
    if (sum > seconds) return { retry: { ...retryOf(pace), maximumAttempts } };
    maximumAttempts += 1;
  }
}

/**
 * Proxies of activities whose queue is that of the workflow's own cluster. Which one that is, is known only where a workflow runs, so it is asked at each
 * use: take no single activity out of it while a module is loaded.
 */
export function activitiesAt(use: QueueUse, options: ActivityOptions): ReturnType<typeof proxyActivities<Activities>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return new Proxy({} as ReturnType<typeof proxyActivities<Activities>>, {
    get: (_, name): unknown => {
      const taskQueue = queueOf(use, clusterOfQueue(workflowInfo().taskQueue));
      return Reflect.get(proxyActivities<Activities>({ ...options, taskQueue }), name);
    },
  });
}

/** Short reads and writes on the store. Hashing a 7B model takes minutes, so heartbeats bound them and not a deadline. */
export const storeActivities = activitiesAt('cluster', {
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '2 minutes',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: retryOf(paces.store),
});

/** Submit, collect, cancel. */
export const clusterActivities = activitiesAt('cluster', {
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '2 minutes',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: retryOf(paces.cluster),
});

/** Watchers: one long, heartbeating activity for each job. After a kill -9 of its worker nobody watches for the heartbeat's timeout at least. */
export const watchActivities = activitiesAt('watch', {
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '15 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: retryOf(paces.watch),
});

/**
 * Synthesis: hours of requests, with a row log on disk. A new attempt asks only what is missing. A dead worker is noticed within ten
 * seconds, since nothing is asked meanwhile. A worker that only stood still finds its lease taken.
 */
export const llmActivities = activitiesAt('llm', {
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: retryOf(paces.llm),
});

/** A look that an operator waits for while their answer is not yet taken: it comes soon, or not at all. */
export const lookActivities = activitiesAt('watch', {
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '40 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumAttempts: 3 },
});

/** Inquiries of people who wait for the reply. On the watchers' queue, whose slots are many: verifying an artifact may take minutes. */
export const inquiryActivities = activitiesAt('watch', {
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '1 minute',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumAttempts: 3 },
});
