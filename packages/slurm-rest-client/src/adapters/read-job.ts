/** Reading jobs, for all families: the wire schemas accept each spelling, and this decides what it means. */
import type * as z from 'zod';
import { expandHostlist } from '../hostlist.ts';
import { splitState } from '../states.ts';
import type { JobExit, JobState, SlurmJob } from '../types.ts';
import { accountingJob, currentJob, type exit } from '../wire.ts';

/** A job as slurmctld prints it. */
export function readCurrentJob(wire: unknown): SlurmJob {
  const job = currentJob.parse(wire);
  const { state, flags } = splitState(job.job_state);
  // slurmctld guesses a start for a pending job. For a job that was cancelled while pending it gives the time of its end.
  const started = state !== 'PENDING' && present(job.nodes) !== undefined;
  return {
    source: 'slurmctld',
    id: job.job_id,
    name: job.name,
    userName: present(job.user_name),
    account: present(job.account),
    partition: present(job.partition),
    qos: present(job.qos),
    state,
    flags,
    submitTime: job.submit_time,
    startTime: started ? job.start_time : undefined,
    endTime: hasEnded(state, flags) ? job.end_time : undefined,
    preemptTime: job.preempt_time,
    reason: job.state_reason === 'None' ? '' : job.state_reason,
    stateDescription: job.state_description,
    exit: readExit(job.exit_code, state, job.nodes),
    derivedExit: readExit(job.derived_exit_code, state, job.nodes),
    restartCount: job.restart_cnt ?? 0,
    requeue: job.requeue ?? undefined,
    nodes: expandHostlist(job.nodes),
    failedNode: present(job.failed_node),
    cancelledBy: undefined,
    workDirectory: present(job.current_working_directory),
    standardOutput: present(job.stdout_expanded) ?? present(job.standard_output),
    standardError: present(job.stderr_expanded) ?? present(job.standard_error),
    comment: present(job.comment),
    timeLimitMinutes: minutes(job.time_limit),
  };
}

/** A row of slurmdbd. */
export function readAccountingJob(wire: unknown): SlurmJob {
  const job = accountingJob.parse(wire);
  const { state, flags } = splitState(job.state.current);
  return {
    source: 'slurmdbd',
    id: job.job_id,
    name: job.name,
    userName: present(job.user),
    account: present(job.account),
    partition: present(job.partition),
    qos: present(job.qos),
    state,
    flags,
    submitTime: job.time.submission,
    startTime: state === 'PENDING' ? undefined : job.time.start,
    endTime: job.time.end,
    preemptTime: undefined,
    reason: job.state.reason === 'None' ? '' : job.state.reason,
    stateDescription: '',
    exit: readExit(job.exit_code, state, job.nodes),
    derivedExit: readExit(job.derived_exit_code, state, job.nodes),
    restartCount: job.restart_cnt ?? 0,
    requeue: undefined,
    nodes: expandHostlist(job.nodes),
    failedNode: present(job.failed_node),
    cancelledBy: present(job.kill_request_user),
    workDirectory: present(job.working_directory),
    standardOutput: present(job.stdout_expanded),
    standardError: present(job.stderr_expanded),
    comment: present(job.comment),
    timeLimitMinutes: minutes(job.time.limit),
  };
}

function present(value: string): string | undefined {
  return value === '' || value === '(null)' ? undefined : value;
}

/** NO_VAL and INFINITE reach v0.0.38 as plain numbers. */
function minutes(value: number | undefined): number | undefined {
  return value === undefined || value >= 4_294_967_294 ? undefined : value;
}

/** Is `end_time` an end? In other states it is a prediction. A completing job has an end time, although its base may be hidden. */
function hasEnded(state: JobState, flags: string[]): boolean {
  return !['PENDING', 'RUNNING', 'SUSPENDED'].includes(state) && (state !== 'UNKNOWN' || flags.includes('COMPLETING'));
}

/** Slurm does not say, or what it says means nothing in that state. */
export const noExit: JobExit = { kind: 'none', code: undefined, signal: undefined };

/** A job that never had a node never ran a script. If slurmctld fails it for bad constraints, it gives it "exit code 1". */
function readExit(wire: z.output<typeof exit>, state: JobState, nodes: string): JobExit {
  const unfinished = ['PENDING', 'RUNNING', 'SUSPENDED', 'UNKNOWN'].includes(state);
  if (wire === null || wire === undefined || unfinished || expandHostlist(nodes).length === 0) return noExit;
  const { code, signal } = typeof wire === 'number' ? fromWaitStatus(wire) : fromStructure(wire);
  if (signal !== undefined && signal > 0) return { kind: 'signaled', code: undefined, signal };
  if (code === undefined || (code === 0 && state !== 'COMPLETED')) return noExit;
  return { kind: 'exited', code, signal: undefined };
}

/** wait(2): low seven bits are the signal, the next byte the exit code. 4021 is a failed launch: signal 53. */
function fromWaitStatus(status: number): { code: number | undefined; signal: number | undefined } {
  if (status >= 4_294_967_294) return { code: undefined, signal: undefined };
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: undefined } : { code: undefined, signal };
}

function fromStructure(wire: { status: string[]; return_code: number | undefined; signal: number | undefined }) {
  const known = wire.status.some((word) => ['SUCCESS', 'ERROR', 'SIGNALED', 'CORE_DUMPED'].includes(word));
  return known ? { code: wire.return_code ?? 0, signal: wire.signal } : { code: undefined, signal: undefined };
}
