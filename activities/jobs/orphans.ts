/**
 * Orphans: jobs of ours in Slurm whose run is over. When a run is terminated, none of its code runs and nothing cancels its jobs. This finds
 * them. It only reads. A job whose run this Temporal does not know is left alone: it may belong to another Temporal that shares the
 * cluster, or to a run older than the namespace's retention.
 */
import { Context, log } from '@temporalio/activity';
import { isTerminal } from 'slurm-rest-client';
import { parseAttemptName } from '../../domain/names.ts';
import type { JobDeps } from './deps.ts';
import { toFailure } from '../failure.ts';
import { runStatus } from '../run-status.ts';

export function createOrphanActivities(deps: Pick<JobDeps, 'slurm' | 'job'>) {
  return {
    /** Names of our jobs that are queued or running although their run is closed. */
    async findOrphans(): Promise<string[]> {
      const jobs = await deps.slurm.listJobs().catch((error: unknown) => {
        throw toFailure(error, 'list jobs to find orphans');
      });
      const alive = jobs.filter((job) => !isTerminal(job) && job.userName === deps.job.userName);
      const names = [...new Set(alive.map((job) => job.name))];
      const runs = new Map<string, boolean>();
      const orphans: string[] = [];
      for (const name of names) {
        const run = parseAttemptName(name)?.run;
        if (run === undefined) continue;
        const closed = runs.get(run) ?? (await isClosed(run));
        runs.set(run, closed);
        if (closed) orphans.push(name);
        Context.current().heartbeat({ state: 'checking', done: runs.size });
      }
      return orphans;
    },
  };
}

async function isClosed(run: string): Promise<boolean> {
  const status = await runStatus(run);
  if (status === 'unknown') log.warn('a job of a run that this Temporal does not know: it is left alone', { run });
  return status === 'closed';
}
