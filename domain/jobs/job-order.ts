/** The order of a job: a node of the stage graph, bound to a run and to what is upstream. The run and the plan make the same. */
import type { JobOrder } from './job-spec.ts';
import { isJobStage, jobKind, type Stage } from '../names.ts';
import type { RunPlan } from '../plan.ts';
import type { Counts, JobNode } from '../stage-graph.ts';
import { keyedParts, type Surroundings } from '../stage-keys.ts';

/** `artifactOf` gives what a stage upstream made, or will make. `made` is what the job will make: its key and the ingredients. */
export function orderJob(
  node: JobNode,
  { run, recipe }: RunPlan,
  imported: Surroundings & { baseModel: { path: string } },
  artifactOf: (stage: Stage) => { path: string; counts: Counts },
  made: Pick<JobOrder, 'key' | 'ingredients'>,
): JobOrder {
  const { model, name, threads, resources } = node;
  const { baseModel } = imported;
  const inputs = Object.entries<Stage>(node.inputs).map(([role, stage]) => [
    role,
    inputFolder(stage, artifactOf(stage).path),
  ]);
  return {
    run,
    stage: name,
    ...made,
    ...keyedParts(node, imported),
    ...(model === 'base'
      ? { model: baseModel.path, baseModel: baseModel.key }
      : { model: `${artifactOf(model).path}/model` }),
    inputs: Object.fromEntries(inputs),
    threads,
    planned: node.planned((stage) => artifactOf(stage).counts),
    resources,
    watch: recipe.watch,
  };
}

/** Of a stage that was a job, a job takes what the trainer left (activities/jobs/attempts.ts, `moveOutput`), else the whole artifact. */
function inputFolder(stage: Stage, artifact: string): string {
  return isJobStage(stage) && jobKind(stage) === 'tokenize' ? `${artifact}/tokenized` : artifact;
}
