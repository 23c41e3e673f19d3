/** Job states: which words are base states, and which combinations mean an end. Pure. */
import type { BaseState, JobState, JobStatus, SlurmJob } from './types.ts';

const baseStates: ReadonlySet<string> = new Set<BaseState>([
  'PENDING',
  'RUNNING',
  'SUSPENDED',
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
]);

const terminalStates: ReadonlySet<string> = new Set<BaseState>([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
]);

/** Flags that slurm.h defines up to 26.05 (`UPDATE_DB` and `LAUNCH_FAILED` as v0.0.40 prints them). */
const knownFlags: ReadonlySet<string> = new Set([
  'LAUNCH_FAILED',
  'UPDATE_DB',
  'REQUEUED',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
  'RESIZING',
  'CONFIGURING',
  'COMPLETING',
  'STOPPED',
  'RECONFIG_FAIL',
  'POWER_UP_NODE',
  'REVOKED',
  'REQUEUE_FED',
  'RESV_DEL_HOLD',
  'SIGNALING',
  'STAGE_OUT',
  'EXPEDITING',
]);

/** With one of these flags a terminal base state is not the end: nodes are still busy, or the job comes back under the same id. */
const unfinishedFlags: ReadonlySet<string> = new Set([
  'COMPLETING',
  'REQUEUED',
  'REQUEUE_FED',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
  'STAGE_OUT',
  'SIGNALING',
]);

/**
 * Is a job over? It is if its base state is terminal and no flag says that it goes on. v0.0.38's bare COMPLETING (base hidden)
 * is not over. A PREEMPTED or NODE_FAIL row of slurmdbd can be the *earlier life* of a requeued job: look at the last row, and
 * ask slurmctld whether it still knows the id.
 */
export function isTerminal(job: Pick<JobStatus, 'state' | 'flags'>): boolean {
  return terminalStates.has(job.state) && !job.flags.some((flag) => unfinishedFlags.has(flag));
}

/** Was the node unable to start the script? stdout or the working directory is not accessible there, or the launch was lost. */
export function isLaunchFailure(job: Pick<SlurmJob, 'flags' | 'reason' | 'exit'>): boolean {
  return job.flags.includes('LAUNCH_FAILED') || job.reason === 'JobLaunchFailure' || job.exit.signal === 53;
}

/** One line for people: `RUNNING`, `COMPLETED+COMPLETING`, or only `COMPLETING` if v0.0.38 hides the base. */
export function describeState(job: Pick<JobStatus, 'state' | 'flags'>): string {
  const words = job.state === 'UNKNOWN' && job.flags.length > 0 ? job.flags : [job.state, ...job.flags];
  return words.join('+');
}

/** Splits what a server printed into base state and flags. Without a known base state an unknown word counts as the base. */
export function splitState(words: string[]): { state: JobState; flags: string[] } {
  const state = words.find((word) => baseStates.has(word)) ?? words.find((word) => !knownFlags.has(word)) ?? 'UNKNOWN';
  return { state, flags: words.filter((word) => word !== state) };
}
