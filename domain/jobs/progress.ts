/**
 * Progress: what a person sees of a run. `StageProgress` travels as heartbeat details, `RunView` as the answer of the
 * workflow's `view` query. Plain data, a few hundred bytes.
 */
import type { RunStatus, Stage } from '../names.ts';

/** Heartbeat details of a working activity, for the operator. A field that is absent does not apply. */
export interface StageProgress {
  /** Slurm's base state, or `asking`, `checking`, `hashing` … for work that is no job. */
  state: string;
  done?: number;
  total?: number;
  unit?: 'rows' | 'steps' | 'files';
  /** Units a minute since the work began. */
  perMinute?: number;
  etaSeconds?: number;
  jobId?: string;
  node?: string;
  loss?: number;
  reward?: number;
  /** Mean answer length in tokens at the newest step. */
  responseLength?: number;
  failed?: number;
  usd?: number;
  /** A sentence, if numbers do not say enough: e.g. why a job is pending. */
  note?: string;
  /** Why the newest try failed, while the next one is waited for. Temporal tells it, not the activity. */
  trouble?: string;
}

/**
 * `paused`: its job has saved and ended, and goes on when the run is unpaused. `cancelled`: the run has ended, by a cancel or because another stage
 * failed, before this stage had.
 */
export const stageStatuses = [
  'pending',
  'running',
  'done',
  'reused',
  'waiting',
  'paused',
  'failed',
  'cancelled',
  'skipped',
] as const;
export type StageStatus = (typeof stageStatuses)[number];

export interface StageView {
  stage: Stage;
  status: StageStatus;
  attempt?: number;
  jobId?: string;
  jobState?: string;
  /** Activity whose heartbeat details hold the live numbers. */
  activityId?: string;
  startedAt?: string;
  finishedAt?: string;
  artifact?: string;
  note?: string;
  /** Why its activity is tried again, as the worker saw it, and when (ISO, UTC). It goes when the activity has succeeded, or works again. */
  trouble?: { why: string; at: string };
}

/** States of Temporal's API that a pending activity is in: PENDING_ACTIVITY_STATE_SCHEDULED (where it has failed, between two tries) and …_STARTED. */
export const pendingStates = { waitsForATry: 1, works: 2 } as const;

/** What a worker tells a run of one of its activities, which the run's own code cannot see. No `why`: it works again. */
export interface Trouble {
  activityId: string;
  why?: string;
}

/** What the operator is asked while a run waits. */
export interface OperatorQuestion {
  /** Used once in a run, e.g. `grpo-1`. */
  id: string;
  stage: Stage;
  sentence: string;
  /** What to do about it, where a failure's type says so (`domain/failures.ts`). */
  remedy?: string;
  logTail: string;
  commands: string[];
}

/** Who pauses or unpauses a run, and why, for people. */
export interface PauseRequest {
  by?: string;
  note?: string;
}

/** Statuses of a run that goes on. */
export const openStatuses = ['running', 'waiting', 'paused'] as const satisfies RunStatus[];

export interface RunView {
  run: string;
  recipe: string;
  status: RunStatus;
  /** Since when the status is `waiting`, without a break (ISO, UTC). */
  waitingSince?: string;
  /** Set while an operator wants the run to pause: since when (ISO, UTC), who and why. The status is `paused` once nothing works any more. */
  paused?: PauseRequest & { since: string };
  /** Somebody has cancelled it, and its jobs are being ended. It stays when the run is over. */
  cancelling?: true;
  /** The run that this one goes on from. */
  resumes?: string;
  /** Where pages of the store are served, without a slash at the end; null: nowhere. Absent in a run that a worker of an earlier release began. */
  pages?: string | null;
  stages: StageView[];
  /** All open questions, oldest first. Each is answered by itself, in any order. */
  questions: OperatorQuestion[];
}
