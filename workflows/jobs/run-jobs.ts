/**
 * runJobs: given job orders, one after another, as a run of their own without other stages. Each is run by `runSlurmJob`, as in a
 * training run. Fault tests and benches start it.
 *
 *   1. run each order to its artifact (or skip it, if the operator says so)
 *   2. give back the artifacts and how each job ended
 */
import { continueAsNew } from '@temporalio/workflow';
import type { EndedJob } from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { type DeskState, newDesk, openDesk, walkAt } from './job-desk.ts';
import { defaultLimits, type RunLimits } from '../persisting.ts';
import { runSlurmJob } from './run-slurm-job.ts';

export interface JobChain {
  /** Run id; must be the workflow's id. */
  run: string;
  /** Each must be of another stage. */
  orders: JobOrder[];
  retries: Recipe['retries'];
  limits?: RunLimits;
}

/** What a chain takes along when it continues as new. */
interface CarriedChain {
  desk: DeskState;
  artifacts: ArtifactRef[];
}

function newChain({ run, orders }: JobChain): CarriedChain {
  const stages = orders.map(({ stage }) => stage);
  return { desk: newDesk(run, 'jobs', stages), artifacts: [] };
}

/** `carried` is for a chain that continues as new. `chain.orders` are then those that are not done. */
export async function runJobs(
  chain: JobChain,
  carried: CarriedChain = newChain(chain),
): Promise<{ artifacts: ArtifactRef[]; jobs: EndedJob[] }> {
  const { artifacts } = carried;
  const left = [...chain.orders];
  const desk = openDesk(carried.desk, chain.retries, chain.limits ?? defaultLimits);
  await walkAt(
    desk,
    async () => {
      for (const order of chain.orders) {
        const artifact = await runSlurmJob(order, desk, true);
        desk.board.stage(order.stage, { status: artifact === undefined ? 'skipped' : 'done' });
        if (artifact !== undefined) artifacts.push(artifact);
        left.shift();
      }
    },
    () => continueAsNew<typeof runJobs>({ ...chain, orders: left }, carried),
  );
  return { artifacts, jobs: desk.ledger };
}
