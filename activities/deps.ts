/**
 * Dependencies of activities: built once by the worker, passed in. No activity reads the environment.
 */
import type { SlurmClient } from 'slurm-rest-client';
import type { Accounting } from './jobs/accounting.ts';
import type { ArtifactStore } from './store/artifact-store.ts';
import type { ModelFolders } from './store/base-model.ts';
import type { JobPoller } from './jobs/job-poller.ts';

export interface ActivityDeps {
  store: ArtifactStore;
  slurm: SlurmClient;
  accounting: Accounting;
  poller: JobPoller;
  llm: { baseUrl: string | undefined; apiKeyFile: string };
  job: JobDeps;
  models: ModelFolders;
}

export interface JobDeps {
  /** Absolute path of the trainer's Python interpreter, as the nodes see it. */
  python: string;
  /** What that interpreter says of its engine, where this worker cannot run it: a file that the operator keeps. */
  engineFile: string | undefined;
  /** Folder with the package `critic_trainer`; copied into the store by content. */
  trainerSource: string;
  /** Text of the one job script. */
  script: string;
  /** Owner to hand attempt folders to; set only where the worker is root and jobs are not. */
  owner: { uid: number; gid: number } | undefined;
  /** Slurm user whose jobs these are. */
  userName: string;
  /** How often a watcher looks at an attempt's files, ms. Slurm itself is asked by the poller. */
  fileIntervalMs: number;
}
