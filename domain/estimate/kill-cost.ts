/**
 * Kill cost: the work that a job loses when it is killed, or when a node fails, which is what it has done since its last checkpoint. Most engines save when they are
 * asked to, so a time limit costs them next to nothing. Those on Ray have no ear for it.
 */
import { numberIn, type Params, type Planned } from '../engines/engine.ts';
import type { EngineName } from '../engines/registry.ts';

/** Engines that do not save when they are asked to. */
export const deaf: readonly EngineName[] = ['easyr1', 'verl'];

export interface KillCost {
  /** Optimiser steps between two checkpoints. */
  saveSteps: number;
  /** Of an earlier job, its start included. Null: none is known. */
  stepSeconds: number | null;
  /** Does the time limit cost as much? */
  alsoAtLimit: boolean;
  /** The most that the recipe allows (`max_lost_minutes`). Null: it does not say. */
  allowedMinutes: number | null;
}

/** Undefined for a job that does no steps. `seconds`: what the whole job is expected to take, if that is known. */
export function killCost(
  { engine, params }: { engine: EngineName; params: Readonly<Params> },
  { steps }: Planned,
  seconds: number | null,
): KillCost | undefined {
  const saveSteps = numberIn(params, 'save_steps');
  if (saveSteps === undefined || steps === null || steps === 0) return undefined;
  return {
    saveSteps: Math.min(saveSteps, steps),
    stepSeconds: seconds === null ? null : seconds / steps,
    alsoAtLimit: deaf.includes(engine),
    allowedMinutes: numberIn(params, 'max_lost_minutes') ?? null,
  };
}

/** Minutes that a kill costs at most. Null if no earlier job tells. */
export function lostMinutes({ saveSteps, stepSeconds }: KillCost): number | null {
  return stepSeconds === null ? null : (saveSteps * stepSeconds) / 60;
}

/** The largest `save_steps` with which a kill costs no more than is allowed; undefined where the present one does it, or nobody can tell. */
export function saveStepsAllowed(cost: KillCost): number | undefined {
  const { allowedMinutes, stepSeconds } = cost;
  const lost = lostMinutes(cost);
  if (lost === null || stepSeconds === null || allowedMinutes === null || lost <= allowedMinutes) return undefined;
  return Math.max(1, Math.floor((allowedMinutes * 60) / stepSeconds));
}
