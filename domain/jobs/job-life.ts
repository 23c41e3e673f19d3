/**
 * Job life: the values that pass between the workflow and the activities about one job. Plain data; payloads stay small
 * (a log's tail is the largest: 2,000 characters).
 */
import type { AttemptChanges, JobOrder } from './job-spec.ts';
import type { JobClass } from './job-outcome.ts';

/** A prepared attempt: its folder and manifest are on disk, nothing was submitted yet. */
export interface PreparedAttempt {
  name: string;
  directory: string;
  attempt: number;
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
  /** Set if Slurm turned it down for good; then there is no job and `jobId` is empty. What it said. */
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
  /** Set when a human must act for the job to start, e.g. a bad QOS: the sentence to show. */
  stuck?: string;
  /** Set when it runs and gets no further: the sentence to show. Then it is not over. */
  stalled?: string;
}

/** What the workflow knows of a job; the watcher returns when it is no longer so. */
export interface KnownJob {
  state: string;
  /** The sentence that is shown while a human must act. */
  stuck?: string;
  /** All such sentences that were shown of this job: one that comes and goes is not news each time. */
  told: string[];
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
  /** Its last 2,000 characters; empty if the job did not answer. */
  tail: string;
}

/** A finished attempt, classified. */
export interface CollectedAttempt {
  jobClass: JobClass;
  evidence: string;
  logTail: string;
  node: string;
  /** Rows of predictions; optimiser steps up to the newest checkpoint, or all of a training that is done. Null if there are none. */
  progress: number | null;
  /** Newest complete checkpoint, for the next attempt to resume from. */
  checkpoint: string | null;
  gpuHours: number;
  seconds: number;
  slurmState: string;
}
