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

/** `Settings` is the recipe's section of this kind. */
export interface EngineRules<Settings> {
  kind: JobKind;
  /** Resources and threads do not determine the output, so they are left out. */
  params(settings: Settings): Params;
  planned(settings: Settings, counts: Counts): Planned;
  /** What each planned step or row holds: records, answers. Time grows with it. `params` may be an earlier job's. */
  unitsEach(params: Readonly<Params>): number;
  /** `params` with the micro-batch halved `times`, or as often as possible. The whole batch of a step does not change. */
  halved(params: Params, times: number): Params;
  /** What the types of the recipe do not show. */
  misfits(settings: Settings): Misfit[];
}

/** Where a job runs and on how many threads: in the recipe's section of every kind. */
export interface Placement {
  resources: unknown;
  threads: number;
}

export function withoutPlacement<Settings extends Placement>(settings: Settings): Omit<Settings, keyof Placement> {
  const { resources: _resources, threads: _threads, ...params } = settings;
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
