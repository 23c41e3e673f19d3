/** What the pipeline must know of an engine before its job runs. The trainer's half is `trainer/critic_trainer/engines/`. */

import type { JobKind } from '../names.ts';

/** Parameters of a job as `attempt.json` has them. With seed, model and inputs they determine the output. */
export type Params = Record<string, unknown>;

/** Optimiser steps of a training, rows of a prediction. The other one is null. */
export interface Planned {
  steps: number | null;
  rows: number | null;
}

/** What a stage is given: records of the mix, rows of the split that is predicted. */
export interface Counts {
  records: number;
  rows: number | null;
}

/** A setting that the engine would refuse or ignore only when its job runs. */
export interface Misfit {
  /** Below the recipe's section of this kind. */
  path: string[];
  input: unknown;
  /** `expected …` */
  message: string;
}

/** The most hardware that one job of an engine makes use of. It refuses more, or leaves it idle. */
export interface Reach {
  nodes: number;
  gpusPerNode: number;
}

/** One process, which computes on one GPU, or on none. */
export const oneProcess: Reach = { nodes: 1, gpusPerNode: 1 };

/** `Settings` is the recipe's section of this kind. */
export interface EngineRules<Settings> {
  kind: JobKind;
  reach: Reach;
  /** Resources and threads do not determine the output, so they are left out. */
  params(settings: Settings): Params;
  /** Parameters that the job needs and that do not change its output: they are not in the artifact's key. */
  incidental: readonly string[];
  planned(settings: Settings, counts: Counts): Planned;
  /** What each planned step or row holds: records, answers. Time grows with it. `params` may be an earlier job's. */
  unitsEach(params: Readonly<Params>): number;
  /** Trainers that srun starts on each node. Undefined: one alone, without srun. */
  ranksPerNode(params: Readonly<Params>, resources: { nodes: number }): number | undefined;
  /** Makes the model from the last step's checkpoint alone. Others, resumed from it, make none, or do a step too many. */
  canFinish?: true;
  /** `params` with the micro-batch halved `times`, or as often as possible. The whole batch of a step does not change. */
  halved(params: Params, times: number): Params;
  /** What the types of the recipe do not show. */
  misfits(settings: Settings): Misfit[];
}

/** Where a job runs, on how many threads and by which engine: in the recipe's section of every kind. */
export interface Placement {
  resources: unknown;
  threads: number;
  engine?: string | undefined;
}

export function withoutPlacement<Settings extends Placement>(settings: Settings): Omit<Settings, keyof Placement> {
  const { resources: _resources, threads: _threads, engine: _engine, ...params } = settings;
  return params;
}

/** The parameter if it is a number. */
export function numberIn(params: Readonly<Params>, name: string): number | undefined {
  const value = params[name];
  return typeof value === 'number' ? value : undefined;
}

/** 2 to the power of `times`, but at most the largest power of two that divides `batch`, a positive whole number. */
export function halvingFactor(batch: number, times: number): number {
  let factor = 1;
  while (factor < 2 ** times && batch % (factor * 2) === 0) factor *= 2;
  return factor;
}

/** What a recipe's `resources` ask for and the engine cannot use. `name` is the engine's. */
export function idleResources(
  name: string,
  { reach }: Pick<EngineRules<never>, 'reach'>,
  { nodes, gpus_per_node: gpus }: { nodes: number; gpus_per_node: number },
): Misfit[] {
  const most = (unit: string, count: number) => `expected at most ${count}: ${name} uses no more ${unit}`;
  const misfits: Misfit[] = [];
  if (nodes > reach.nodes) {
    misfits.push({ path: ['resources', 'nodes'], input: nodes, message: most('nodes', reach.nodes) });
  }
  if (gpus > reach.gpusPerNode) {
    const message = most('GPUs on a node', reach.gpusPerNode);
    misfits.push({ path: ['resources', 'gpus_per_node'], input: gpus, message });
  }
  return misfits;
}
