/**
 * Placement: the recipe's resources against what Slurm says of its partitions, before anything is paid for. Side effects: none. Where slurmrestd does
 * not answer, or does not tell, nothing is refused: the submission shows it.
 */
import { Context } from '@temporalio/activity';
import { SlurmError } from 'slurm-rest-client';
import { describeFault, describeFaults } from '../../domain/errors.ts';
import { type ClusterNode, type ClusterPartition, placementFaults } from '../../domain/jobs/placement.ts';
import type { JobKind } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { isJob, stageGraph } from '../../domain/stage-graph.ts';
import { refuse } from '../failure.ts';

/** `SlurmClient` is one. */
export interface ClusterSource {
  partitions: () => Promise<ClusterPartition[]>;
  nodes: () => Promise<ClusterNode[]>;
}

/** Where the recipe has the resources of a kind of job. */
const sections: Record<JobKind, string> = { tokenize: 'sft.tokenize', sft: 'sft', grpo: 'grpo', predict: 'predict' };

/** `RecipeInvalid` that names each field, its value and what was expected. */
export async function checkPlacement({ recipe }: RunPlan, slurm: ClusterSource | undefined): Promise<void> {
  const jobs = stageGraph(recipe).filter(isJob);
  if (slurm === undefined || jobs.every(({ resources }) => resources.partition === undefined)) return;
  const cluster = await readCluster(slurm);
  if (cluster === undefined) return;
  const faults = jobs.flatMap(({ kind, resources }) =>
    placementFaults(resources, cluster).map(({ path, input, message }) =>
      describeFault({
        field: ['recipe', sections[kind], ...path].join('.'),
        value: input,
        expected: message.replace(/^expected /, ''),
      }),
    ),
  );
  // Predictions have one section and several jobs.
  if (faults.length > 0) throw refuse('RecipeInvalid', describeFaults(`recipe "${recipe.name}"`, [...new Set(faults)]));
}

async function readCluster(slurm: ClusterSource) {
  try {
    const [partitions, nodes] = await Promise.all([slurm.partitions(), slurm.nodes()]);
    return partitions.length === 0 ? undefined : { partitions, nodes };
  } catch (error) {
    if (!(error instanceof SlurmError)) throw error;
    Context.current().log.warn('partitions were not looked at', { reason: error.message });
    return undefined;
  }
}
