/** What may go wrong in the night, as a plan says it: what a kill costs, and the disk that checkpoints need. Pure. */
import { amountOfBytes, bytesNeeded } from '../domain/checkpoint-size.ts';
import type { DiskEstimate, StageEstimate } from '../domain/estimate.ts';
import { type KillCost, lostMinutes, saveStepsAllowed } from '../domain/kill-cost.ts';
import type { Stage } from '../domain/names.ts';

/** A line for each training, and a warning where the recipe allows less. */
export function killLines(stages: readonly StageEstimate[]): string[] {
  return stages.flatMap(({ stage, job }) => (job?.kill === undefined ? [] : linesOf(stage, job.kill)));
}

function linesOf(stage: Stage, cost: KillCost): string[] {
  const { saveSteps, stepSeconds, alsoAtLimit, allowedMinutes } = cost;
  const what = alsoAtLimit ? 'a kill or its time limit' : 'a kill';
  const lost = lostMinutes(cost);
  if (lost === null || stepSeconds === null) {
    return [`${stage}: what ${what} loses is not known yet: up to the ${saveSteps} steps between two checkpoints.`];
  }
  const said = `${stage}: ${what} loses up to ${minutes(lost)} min (save_steps ${saveSteps} × ${short(stepSeconds)} s a step).`;
  const allowed = saveStepsAllowed(cost);
  if (allowed === undefined) return [said];
  const limit = `so that it is no more than max_lost_minutes, ${allowedMinutes}`;
  return [said, `WARNING: recipe.${stage}.save_steps: expected at most ${allowed}, ${limit}, got ${saveSteps}`];
}

/** A line for each training and one for what is free, and a warning where they do not fit together. */
export function diskLines(disk: DiskEstimate | undefined): string[] {
  if (disk === undefined || disk.jobs.length === 0) return [];
  const needs = disk.jobs.map(({ stage, size }) => {
    const checkpoints = `${size.checkpoints} checkpoints of ${amountOfBytes(size.checkpoint)}`;
    return `Disk: ${stage} up to ${amountOfBytes(bytesNeeded(size))} (${checkpoints}, model ${amountOfBytes(size.model)}).`;
  });
  const whole = disk.jobs.reduce((sum, { size }) => sum + bytesNeeded(size), 0);
  const lines = [...needs, `Disk: ${amountOfBytes(disk.free)} are free in the store.`];
  if (whole <= disk.free) return lines;
  return [
    ...lines,
    `WARNING: all together need up to ${amountOfBytes(whole)}: checkpoints stay when their job has ended.`,
  ];
}

function minutes(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

function short(seconds: number): string {
  return seconds < 10 ? seconds.toFixed(1) : String(Math.round(seconds));
}
