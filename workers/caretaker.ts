/**
 * The caretaker's workflow of a cluster, kept running: every worker begins it if it does not run, when the worker starts and once a minute. A caretaker whose
 * code cannot go on (it was begun by another release) is ended and begun anew: it has nothing that could be lost.
 */
import { type Client, ScheduleNotFoundError, WorkflowNotFoundError } from '@temporalio/client';
import { caretakerId, type Cluster, queueOf } from '../domain/clusters.ts';
import type { CaretakerSettings } from '../domain/inquiries.ts';
import { hopelessTries } from '../domain/notices/run-notices.ts';

/** The schedule by which earlier releases began each look. */
const earlierSchedule = 'critic-reaper';

/** Idempotent: begins the caretaker, or tells the one that runs how to work. */
export async function ensureCaretaker(client: Client, settings: CaretakerSettings, cluster?: Cluster): Promise<void> {
  await endIfHopeless(client, cluster);
  await client.workflow.signalWithStart('caretaker', {
    workflowId: caretakerId(cluster),
    taskQueue: queueOf('workflows', cluster),
    args: [settings],
    signal: 'settle',
    signalArgs: [settings],
    staticSummary: 'looks for jobs whose run is over; answers inquiries',
  });
}

/** Begins it again if somebody has terminated it, its code cannot go on, or the server does not know it (any more). */
export async function keepCaretaker(client: Client, settings: CaretakerSettings, cluster?: Cluster): Promise<void> {
  if ((await endIfHopeless(client, cluster)) !== 'runs') await ensureCaretaker(client, settings, cluster);
}

async function endIfHopeless(client: Client, cluster: Cluster): Promise<'runs' | 'ended'> {
  const handle = client.workflow.getHandle(caretakerId(cluster));
  try {
    const { status, raw } = await handle.describe();
    if (status.name !== 'RUNNING') return 'ended';
    if ((raw.pendingWorkflowTask?.attempt ?? 0) < hopelessTries) return 'runs';
    await handle.terminate('its code cannot go on: another release began it');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  return 'ended';
}

/** Removes the reaper's schedule of earlier releases, which filled the list of workflows. */
export async function removeEarlierReaper(client: Client): Promise<void> {
  try {
    await client.schedule.getHandle(earlierSchedule).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}
