/**
 * runJobs: ready job orders, one after another, as a run of their own, without the stages around them. The life of each is
 * `runSlurmJob`'s, as in a training run. It is what the fault tests and the benches start.
 *
 *   1. run each order to its artifact (or skip it, if the operator says so)
 *   2. give back the artifacts and how each job ended
 */
import { isCancellation } from '@temporalio/workflow';
import type { JobOrder } from '../domain/job-spec.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import type { Recipe } from '../domain/recipe.ts';
import { OperatorDesk } from './operator.ts';
import { RunBoard } from './run-board.ts';
import { type JobDesk, type JobRecord, runSlurmJob } from './run-slurm-job.ts';

export interface JobChain {
  /** Run id; must be the workflow's id. */
  run: string;
  orders: JobOrder[];
  retries: Recipe['retries'];
}

export async function runJobs(chain: JobChain): Promise<{ artifacts: ArtifactRef[]; jobs: JobRecord[] }> {
  const board = new RunBoard({ run: chain.run, recipe: { name: 'jobs' } });
  const operator = new OperatorDesk(board, chain.run);
  const desk: JobDesk = { board, operator, retries: chain.retries, ledger: [] };
  const artifacts: ArtifactRef[] = [];
  try {
    for (const order of chain.orders) {
      const artifact = await runSlurmJob(order, desk, true);
      board.stage(order.stage, { status: artifact === undefined ? 'skipped' : 'done' });
      if (artifact !== undefined) artifacts.push(artifact);
    }
  } catch (error) {
    board.status(isCancellation(error) ? 'cancelled' : 'aborted');
    throw error;
  }
  return { artifacts, jobs: desk.ledger };
}
