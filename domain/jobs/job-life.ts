/**
 * Job life: the values about one job that pass between the workflow and the activities. They are plain and small data: the
 * largest is a log's tail of 2,000 characters.
 */
import type { AttemptChanges, JobOrder } from './job-spec.ts';
import type { ArtifactRef } from '../manifest.ts';
import type { JobStage } from '../names.ts';
import type { JobClass } from './job-outcome.ts';

/** A prepared attempt: its folder and manifest are on disk, and nothing was submitted yet. */
export interface PreparedAttempt {
  name: string;
  directory: string;
  attempt: number;
  /** Nothing was prepared: while the run rested, another one made the artifact, or makes it now. */
  elsewhere?: { artifact: ArtifactRef } | { heldBy: string };
}

export interface AttemptInput {
  order: JobOrder;
  attempt: number;
  changes: AttemptChanges;
}

export interface SubmittedJob {
  jobId: string;
  /** True if the job had been submitted before (found by its name) and this call sent nothing. */
  adopted: boolean;
  /** What Slurm said when it turned the job down for good. Then there is no job, and `jobId` is empty. */
  refused?: string;
}

/** What a watcher saw. It returns on a change of state, when a job gets stuck or free, and when it is over. */
export interface JobObservation {
  state: string;
  /** Pending or state reason, empty if there is none. */
  reason: string;
  node: string;
  /** Terminal, vanished from Slurm, or ended by its own outcome file. */
  over: boolean;
  /** The sentence to show if a person must act before the job can start, e.g. because of a bad QOS. */
  stuck?: string;
  /** The sentence to show if it runs and gets no further. It is not over then. */
  stalled?: string;
  /** It trains sick, by signs of which at least one was not told before. It is not over then. */
  unwell?: Unwell;
}

/** What says that a training is sick: kinds of signs (`domain/health/running.ts`), and all of it in one sentence. */
export interface Unwell {
  kinds: string[];
  sentence: string;
}

/** What the workflow knows of a job. The watcher returns when that has changed. */
export interface KnownJob {
  state: string;
  /** The sentence that is shown while a person must act. */
  stuck?: string;
  /** All such sentences that were shown for this job. One that comes and goes is not news each time. */
  told: string[];
  /** Kinds of signs of a sick training that a person has been asked about. */
  unwell?: string[];
}

export interface WatchInput {
  attempt: PreparedAttempt;
  jobId: string;
  stage: JobOrder['stage'];
  totalSteps: number | null;
  watch: JobOrder['watch'];
  known: KnownJob;
}

/** What a stalled job was doing. */
export interface CapturedStacks {
  /** File with the stacks of all threads. */
  path: string;
  /** The last 2,000 characters of that file. Empty if the job did not answer. */
  tail: string;
}

/** A finished attempt, classified. */
export interface CollectedAttempt {
  jobClass: JobClass;
  evidence: string;
  logTail: string;
  node: string;
  /** Rows of predictions, or optimiser steps up to the newest checkpoint (all steps if the training is done). Null if there are none. */
  progress: number | null;
  /** Newest complete checkpoint, for the next attempt to resume from. */
  checkpoint: string | null;
  gpuHours: number;
  seconds: number;
  slurmState: string;
}

/** What earlier runs have left of an artifact that is not done: their attempts at the same key. */
export interface EarlierAttempts {
  /** Names of attempts, oldest first. */
  attempts: string[];
  /** Newest complete checkpoint. Null: none, so the job begins at its start. */
  checkpoint: string | null;
  /** Steps of the checkpoint, or rows of predictions in it. */
  progress: number;
  gpuHours: number;
  /** What the newest attempt had learnt to need. Null: there was none. */
  changes: LearntChanges | null;
}

/** Changes of an attempt that hold in another run too. Nodes that failed then may be well now. */
export type LearntChanges = Pick<AttemptChanges, 'memoryFactor' | 'timeLimitMinutes' | 'microBatchHalvings'>;

/** How one attempt's job ended, as the run keeps it for its report. */
export interface EndedJob {
  stage: JobStage;
  attempt: number;
  jobId: string;
  /** Slurm's word, e.g. `COMPLETED`. */
  state: string;
  seconds: number;
  gpuHours: number;
}
