/** One Temporal worker for each task queue. `workers/main.ts` runs them with the real activities, `bench/runs` with stand-ins. */
import { type NativeConnection, Worker, type WorkerOptions, type WorkflowBundle } from '@temporalio/worker';
import { type Cluster, queueOf } from '../domain/clusters.ts';
import { keptBundle } from './workflow-bundle.ts';

/** How much one worker takes on. A test or a bench may ask for other sizes. */
export interface WorkerSizes {
  /** Workflows whose state stays in memory. Another one is replayed from its history when something happens to it. */
  cachedWorkflows: number;
  /** Jobs watched at the same time. */
  watchers: number;
}

/** A cached workflow takes some 1.4 MiB. A run has up to two jobs at the same time, and inquiries use the watchers' slots too (bench/runs). */
export const workerSizes: WorkerSizes = { cachedWorkflows: 1000, watchers: 3000 };

/**
 * A server spreads a queue over four partitions, and a poll waits at one of them. With the SDK's two polls for workflows that no worker has in memory
 * (new ones, and all of them after a restart), such tasks lay for minutes where nobody asked.
 */
const workflowPolling = {
  workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 24 },
  nonStickyToStickyPollRatio: 0.5,
} as const;

/** Workers for all task queues of a cluster on one connection. They do not run yet. */
export async function createWorkers(
  { connection, namespace, cluster }: { connection: NativeConnection; namespace: string; cluster?: Cluster },
  activities: object,
  { bundle, ...sizes }: Partial<WorkerSizes> & { bundle?: WorkflowBundle } = {},
): Promise<Worker[]> {
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace,
    shutdownGraceTime: '20 seconds',
    shutdownForceTime: '35 seconds',
    // Heartbeats are what a person sees of a job, and how cancellation arrives.
    maxHeartbeatThrottleInterval: '2 seconds',
    defaultHeartbeatThrottleInterval: '2 seconds',
  };
  const { cachedWorkflows, watchers } = { ...workerSizes, ...sizes };
  const workflowBundle = bundle ?? (await keptBundle());
  return Promise.all([
    Worker.create({
      ...common,
      ...workflowPolling,
      taskQueue: queueOf('workflows', cluster),
      workflowBundle,
      maxCachedWorkflows: cachedWorkflows,
    }),
    Worker.create({
      ...common,
      taskQueue: queueOf('cluster', cluster),
      activities,
      maxConcurrentActivityTaskExecutions: 20,
    }),
    Worker.create({
      ...common,
      taskQueue: queueOf('watch', cluster),
      activities,
      maxConcurrentActivityTaskExecutions: watchers,
    }),
    Worker.create({
      ...common,
      taskQueue: queueOf('llm', cluster),
      activities,
      maxConcurrentActivityTaskExecutions: 4,
    }),
  ]);
}
