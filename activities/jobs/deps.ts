/** What the room of jobs needs. The worker builds it. */
import type { SlurmClient } from 'slurm-rest-client';
import type { ModelFolders } from '../store/base-model.ts';
import type { EngineSource } from '../store/environments.ts';
import type { StoreDeps } from '../store/deps.ts';
import type { Accounting } from './accounting.ts';
import type { JobPoller } from './watching/job-poller.ts';

export interface JobDeps extends StoreDeps {
  slurm: SlurmClient;
  accounting: Accounting;
  poller: JobPoller;
  models: ModelFolders;
  /** And where the trainer's engines are, as the nodes see it. */
  job: Pick<EngineSource, 'python' | 'engineFile' | 'environments'> & {
    /** Text of the one job script. */
    script: string;
    /** Owner to whom attempt folders are handed. Set only if the worker is root and jobs are not. */
    owner: { uid: number; gid: number } | undefined;
    /** Slurm user whose jobs these are. */
    userName: string;
    /** How often a watcher looks at an attempt's files, ms. The poller asks Slurm itself. */
    fileIntervalMs: number;
  };
}
