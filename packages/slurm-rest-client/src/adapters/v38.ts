/**
 * v0.0.38 (Slurm 22.05). It is hand-written in Slurm and strict: an unknown key is 400. Its OpenAPI document is wrong in places
 * (`exclusive`, `signal`, `exclude_nodes`, keys of errors); the names here are those of the source, src/plugins/openapi/v0.0.38/
 * jobs.c at slurm-22-05, checked against a running 22.05.8.
 */
import { refusedHere } from '../errors.ts';
import { expandHostlist } from '../hostlist.ts';
import type { JobSubmission, JobUpdate, SlurmJob, SlurmPartition } from '../types.ts';
import { partition38 } from '../wire.ts';
import type { Adapter, Rendered, SignalTarget } from './adapter.ts';
import { noExit, readAccountingJob, readCurrentJob } from './read-job.ts';

export const v38: Adapter = {
  hasJobStates: false,
  hasKillStatus: false,
  signalQuery,
  submission,
  update,
  // parse_time() takes bare digits for a time of day; "uts" is its prefix for seconds since the epoch.
  sinceQuery: (seconds) => ({ start_time: `uts${seconds}` }),
  currentJob: readCurrentJob,
  accountingJob,
  partition: readPartition,
};

/** The server always signals shell and steps (KILL_FULL_JOB) and knows no flags. */
function signalQuery(signal: string, target: SignalTarget): Record<string, string> {
  if (target !== 'all')
    throw refusedHere(`signal to ${target} only: v0.0.38 always signals the batch shell and all steps`);
  return { signal };
}

function submission(job: JobSubmission): Rendered {
  const { gpus, warningSignal } = job;
  const type = gpus?.type === undefined ? '' : `${gpus.type}:`;
  const body = {
    // `script` inside `job` is an unknown key here.
    script: job.script,
    job: {
      name: job.name,
      ...optional('partition', job.partition),
      ...optional('account', job.account),
      ...optional('qos', job.qos),
      ...optional('reservation', job.reservation),
      ...optional('constraints', job.constraints),
      ...optional('dependency', job.dependency),
      environment: job.environment,
      current_working_directory: job.currentWorkingDirectory,
      standard_output: job.standardOutput,
      ...optional('standard_error', job.standardError),
      open_mode: job.openMode,
      nodes: job.nodes,
      tasks: job.tasks,
      cpus_per_task: job.cpusPerTask,
      ...optional('memory_per_node', job.memoryPerNodeMiB),
      ...optional('gres', gpus === undefined ? undefined : `gpu:${type}${gpus.countPerNode}`),
      time_limit: job.timeLimitMinutes,
      // `excluded_nodes` is a disabled key.
      ...optional('exclude_nodes', job.excludedNodes.length === 0 ? undefined : job.excludedNodes.join(',')),
      ...optional('exclusive', job.exclusive === true ? 'exclusive' : undefined),
      ...optional('hold', job.hold === true ? true : undefined),
      // `requeue` with any value, false too, sets Requeue=1 [measured on 22.05.8]; this is how to say no.
      ...(job.requeue ? { requeue: true } : { no_requeue: true }),
      comment: job.comment,
    },
  };
  return { body, warnings: warningSignal === undefined ? [] : [notSent(warningSignal.signal)] };
}

/** `signal: "USR2@90"` would go to the steps and kill those without a handler. "B:" is rejected. Neither is what was asked for. */
function notSent(signal: string) {
  return {
    description: `v0.0.38 cannot signal the batch shell before the time limit: ${signal} was not asked for, send it with signal()`,
    source: 'slurm-rest-client',
  };
}

function update(change: JobUpdate): Record<string, unknown> {
  if (change.hold === false) throw refusedHere('release a job: v0.0.38 can hold a job but not release it');
  return {
    ...optional('comment', change.comment),
    ...optional('time_limit', change.timeLimitMinutes),
    ...optional('exclude_nodes', change.excludedNodes?.join(',')),
    ...optional('partition', change.partition),
    ...optional('hold', change.hold),
  };
}

/**
 * 22.05's slurmdbd plugin prints SUCCESS and 0 for every job that exited, whatever its code (_dump_job_exit_code in dbv0.0.38/
 * parse.c takes WIFEXITED for success): only signals and the state can be believed.
 */
function accountingJob(wire: unknown): SlurmJob {
  const job = readAccountingJob(wire);
  return job.derivedExit.kind === 'exited' ? { ...job, derivedExit: noExit } : job;
}

function readPartition(wire: unknown): SlurmPartition {
  const partition = partition38.parse(wire);
  // An unlimited partition reads -1 on 22.05.8.
  const limit = partition.max_time_limit;
  return {
    name: partition.name,
    state: partition.state.toUpperCase(),
    nodes: expandHostlist(partition.nodes),
    totalCpus: partition.total_cpus,
    totalNodes: partition.total_nodes,
    maxTimeMinutes: limit === undefined || limit < 0 ? undefined : limit,
  };
}

function optional<T>(key: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [key]: value };
}
