/** What the client needs to speak an API family: how to ask, and how to read. The families are in the files beside this one. */
import type { JobSubmission, JobUpdate, SlurmJob, SlurmPartition, SlurmWarning } from '../types.ts';

export interface Rendered {
  /** JSON body. */
  body: Record<string, unknown>;
  /** What was asked for and cannot be expressed in this family. */
  warnings: SlurmWarning[];
}

export interface Adapter {
  /** `GET jobs/state` exists (v0.0.40+ from 23.11.7 on). */
  readonly hasJobStates: boolean;
  /** DELETE's answer lists what became of each job (v0.0.42+). */
  readonly hasKillStatus: boolean;
  /** Query of a signal to the batch shell and all steps; undefined target: the server's default. */
  signalQuery(signal: string, target: SignalTarget): Record<string, string>;
  submission(job: JobSubmission): Rendered;
  /** Body of `POST job/{id}`. Throws SlurmError `refused` for what the family cannot change. */
  update(update: JobUpdate): Record<string, unknown>;
  /** slurmdb's way to say "since": seconds since the epoch. */
  sinceQuery(seconds: number): Record<string, string>;
  currentJob(wire: unknown): SlurmJob;
  accountingJob(wire: unknown): SlurmJob;
  partition(wire: unknown): SlurmPartition;
}

/** `all`: batch shell and steps. `batch`: the shell alone. `steps`: the steps alone. */
export type SignalTarget = 'all' | 'batch' | 'steps';
