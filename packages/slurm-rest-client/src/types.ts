/**
 * What a caller of the client sees: one shape for every slurmrestd from 22.05 to 26.05. The adapters know how each API version spells
 * it.
 */

/** Exactly one of these is a job's base state (slurm.h, identical from 22.05 to 26.05). */
export type BaseState =
  | 'PENDING'
  | 'RUNNING'
  | 'SUSPENDED'
  | 'COMPLETED'
  | 'CANCELLED'
  | 'FAILED'
  | 'TIMEOUT'
  | 'NODE_FAIL'
  | 'PREEMPTED'
  | 'BOOT_FAIL'
  | 'DEADLINE'
  | 'OUT_OF_MEMORY';

/**
 * A base state, `UNKNOWN` if the server hides it (v0.0.38 prints one string, and a flag such as COMPLETING stands before
 * the base), or a state of a Slurm newer than this package, as the server spelled it.
 */
export type JobState = BaseState | 'UNKNOWN' | (string & Record<never, never>);

/** State of a job without its details. */
export interface JobStatus {
  /** Digits only. Ids are reused after a cluster's reset: compare name and submit time too. */
  id: string;
  state: JobState;
  /** Modifiers such as COMPLETING, CONFIGURING, REQUEUED; unknown ones are kept. */
  flags: string[];
  /** The whole job, if it came at no cost (v0.0.38 can only list whole jobs). */
  details?: SlurmJob | undefined;
}

/**
 * How the batch script ended. Decide on the state first: Slurm prints "0" for jobs that are pending, running, timed out or cancelled.
 * So a zero counts only with COMPLETED. With any other state the kind is `none`.
 */
export interface JobExit {
  kind: 'none' | 'exited' | 'signaled';
  /** Exit code, 0-255; only for `exited`. */
  code: number | undefined;
  /** Signal number; only for `signaled`. 53 means that the node could not open stdout or the working directory. */
  signal: number | undefined;
}

/** A job as slurmctld (current) or slurmdbd (history) knows it. */
export interface SlurmJob extends Omit<JobStatus, 'details'> {
  /** Which daemon said this. slurmdbd may have several rows for one id, one for each life of a requeued job. */
  source: 'slurmctld' | 'slurmdbd';
  name: string;
  userName: string | undefined;
  account: string | undefined;
  partition: string | undefined;
  qos: string | undefined;
  submitTime: Date | undefined;
  /** When it started. slurmctld's guess for a pending job is left out. */
  startTime: Date | undefined;
  /** When it really ended: slurmctld's predicted end of a running job is left out. */
  endTime: Date | undefined;
  /** Set while a preemption's grace time runs. Never on slurmdbd rows. */
  preemptTime: Date | undefined;
  /** Slurm's `state_reason`; `None` reads as ''. */
  reason: string;
  /** Slurm's free text about the state, '' if there is none. */
  stateDescription: string;
  /** v0.0.38's slurmdbd rows tell signals but no exit codes (22.05 prints 0 for each): `none` with FAILED there. */
  exit: JobExit;
  /** Highest exit of the job's steps. It is not zero if a COMPLETED script swallowed a failing srun. */
  derivedExit: JobExit;
  /** Times it was requeued; 0 where the API version does not say (slurmdbd before v0.0.42). */
  restartCount: number;
  /** May Slurm run it again by itself, after a node failure or a preemption? Undefined if Slurm does not say (slurmdbd rows). */
  requeue: boolean | undefined;
  /** Allocated nodes, expanded: `a[1-2]` is ['a1', 'a2']. Empty while pending. */
  nodes: string[];
  /** Node that failed the job, if Slurm names one (v0.0.40+). */
  failedNode: string | undefined;
  /**
   * Who asked for its end by scancel or the API. Only slurmdbd rows have it. A CANCELLED row without it was ended only in the database:
   * slurmctld came up without its state and no longer knew the job.
   */
  cancelledBy: string | undefined;
  workDirectory: string | undefined;
  /** Where stdout goes. Expanded if the API version does that, otherwise as submitted (with `%j`). */
  standardOutput: string | undefined;
  standardError: string | undefined;
  comment: string | undefined;
  /** Undefined: unlimited, or not said. */
  timeLimitMinutes: number | undefined;
}

/** A batch job to submit. slurmrestd ignores `#SBATCH` lines, so everything must be said here. */
export interface JobSubmission {
  /** `[A-Za-z0-9._-]{1,128}`: slurmctld takes 1024, slurmdbd keeps 255. Slurm has no idempotency key: make it unique and it can serve as one. */
  name: string;
  partition?: string | undefined;
  account?: string | undefined;
  qos?: string | undefined;
  reservation?: string | undefined;
  /** Feature expression, sbatch's `--constraint`. */
  constraints?: string | undefined;
  /** Text of the batch script, beginning with `#!`. */
  script: string;
  /** The job's whole environment (Slurm adds SLURM_*). It has no HOME, PATH or USER unless they are given. At least one entry. */
  environment: Record<string, string>;
  /** Absolute. */
  currentWorkingDirectory: string;
  /** Absolute; `%j` is the only pattern allowed. Its folder must exist on the node (22.05 fails the job otherwise). */
  standardOutput: string;
  /** Absolute. Without it stderr goes to standardOutput. */
  standardError?: string | undefined;
  openMode: 'append' | 'truncate';
  /** Number of nodes. */
  nodes: number;
  /** Number of tasks over all nodes. */
  tasks: number;
  cpusPerTask: number;
  /** Default: the cluster's default, which is a whole node's memory if DefMemPerNode is not set. */
  memoryPerNodeMiB?: number | undefined;
  gpus?: { type?: string | undefined; countPerNode: number } | undefined;
  timeLimitMinutes: number;
  excludedNodes: string[];
  /** Whole nodes, with no other job on them. */
  exclusive?: boolean | undefined;
  /** Must be given, since Slurm's default (JobRequeue) is yes. */
  requeue: boolean;
  /** `singleton`: never two jobs of one name and user at once. Otherwise sbatch's `--dependency`. */
  dependency?: string | undefined;
  comment: string;
  hold?: boolean | undefined;
  /**
   * Signal to the batch shell this long before the time limit (up to 60 s earlier). v0.0.38 can signal only steps and not the
   * shell. There it is *not sent*, and a warning says so. Send `signal(id, 'USR2')` yourself; that reaches both.
   */
  warningSignal?: { signal: string; secondsBefore: number } | undefined;
}

/** What can be changed of a job. */
export interface JobUpdate {
  comment?: string | undefined;
  timeLimitMinutes?: number | undefined;
  excludedNodes?: string[] | undefined;
  partition?: string | undefined;
  /** true holds, false releases. v0.0.38 cannot release; there the call is refused. */
  hold?: boolean | undefined;
}

/** A warning of the server (or of this client, `source: 'slurm-rest-client'`) about a request that was carried out. */
export interface SlurmWarning {
  description: string;
  source: string;
}

export interface SubmittedJob {
  jobId: string;
  /** v0.0.40+ ignores what it does not know, and says so only here. */
  warnings: SlurmWarning[];
  /** Text of a job_submit plugin for the user, '' if none. */
  message: string;
}

/**
 * What became of a cancel or signal request. `accepted` is a promise and not a result: v0.0.40/41 answer 200 even if nothing was
 * done. Confirm with `getJob`.
 */
export interface CancelResult {
  outcome: 'accepted' | 'already-done' | 'unknown-job' | 'refused';
  /** Slurm's error number, if it gave one. */
  number: number | undefined;
  message: string;
  warnings: SlurmWarning[];
}

export interface PingResult {
  /** A controller answered. This says nothing about the token, which ping does not check. */
  up: boolean;
  controllers: { host: string; mode: string; up: boolean }[];
}

/** Load of the controller, as far as every version reports it. */
export interface Diagnostics {
  serverThreadCount: number | undefined;
  agentQueueSize: number | undefined;
  jobsSubmitted: number | undefined;
  jobsStarted: number | undefined;
  jobsCompleted: number | undefined;
  jobsCancelled: number | undefined;
  jobsFailed: number | undefined;
  jobsPending: number | undefined;
  jobsRunning: number | undefined;
}

export interface SlurmNode {
  name: string;
  /** Upper case base state such as IDLE, MIXED, ALLOCATED, DOWN. */
  state: string;
  /** Upper case modifiers such as DRAIN, NOT_RESPONDING. */
  flags: string[];
  /** Why an administrator (or Slurm) took it out of service, '' if nobody did. */
  reason: string;
  cpus: number;
  memoryMiB: number;
  /** As configured: `gpu:a100:8`. */
  gres: string;
  features: string[];
  partitions: string[];
}

export interface SlurmPartition {
  name: string;
  /** Upper case: UP, DOWN, DRAIN, INACTIVE. */
  state: string;
  /** Names of its nodes, expanded. */
  nodes: string[];
  totalCpus: number | undefined;
  totalNodes: number | undefined;
  /** Undefined: unlimited, or not said. */
  maxTimeMinutes: number | undefined;
}

/** Which server answers. */
export interface SlurmServer {
  apiVersion: ApiVersion;
  /** Slurm's own release, `24.11.5`; '' until the first answer that carries it. */
  release: string;
  /** '' on v0.0.38, which does not say. */
  cluster: string;
}

export type ApiVersion = 'v0.0.38' | 'v0.0.40' | 'v0.0.41' | 'v0.0.42' | 'v0.0.43' | 'v0.0.44' | 'v0.0.45';

/** Limits on one user. Undefined: no limit, or none is said. */
export interface SlurmLimits {
  /** Of one job. */
  wallMinutes: number | undefined;
  /** Jobs that run at a time. */
  running: number | undefined;
  /** Jobs that wait or run. */
  submitted: number | undefined;
  /** TRES of one job, such as `gres/gpu`. */
  perJob: { tres: string; count: number }[];
  /** TRES of all jobs together. */
  together: { tres: string; count: number }[];
}

/** Under which account a user may submit. */
export interface SlurmAssociation {
  account: string;
  cluster: string;
  /** Undefined: on each. */
  partition: string | undefined;
  user: string;
  /** Of a job that names no account. */
  isDefault: boolean;
  /** Names of the QOS that it may use. */
  qos: string[];
  limits: SlurmLimits;
}

export interface SlurmQos {
  name: string;
  limits: SlurmLimits;
}
