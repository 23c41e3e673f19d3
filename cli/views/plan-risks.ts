/** What may go wrong in the night, as a plan says it: what a kill costs, the disk that checkpoints need, a test split that shows nothing. Pure. */
import { amountOfBytes, bytesNeeded } from '../../domain/estimate/checkpoint-size.ts';
import type { DiskEstimate, StageEstimate } from '../../domain/estimate/estimate.ts';
import { type KillCost, lostMinutes, saveStepsAllowed } from '../../domain/estimate/kill-cost.ts';
import type { Stage } from '../../domain/names.ts';

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

/** Test pairs below which a plan warns. */
const fewTestPairs = 50;
/** The logistic fit of MainScore needs so many readable answers. */
const fewestForScore = 5;

/** A warning if the test split is so small that its MainScore says little. */
export function testSplitLines(pairs: number): string[] {
  if (pairs >= fewTestPairs) return [];
  const said = `WARNING: the test split has ${pairs} ${pairs === 1 ? 'pair' : 'pairs'}: expected at least ${fewTestPairs}.`;
  if (pairs < fewestForScore)
    return [`${said} With fewer than ${fewestForScore} MainScore is undefined, and the gate does not pass.`];
  const [low, high] = intervalOfSrcc(0.7, pairs);
  return [
    `${said} Of an SRCC of 0.70 the 95 % interval`,
    `  is about ${low.toFixed(2)} to ${high.toFixed(2)} then, and MainScore is undefined if readable answers are fewer than ${fewestForScore} or all give one score.`,
  ];
}

/** 95 % interval by Fisher's z, whose variance for Spearman's coefficient is 1.06 / (n − 3) (Fieller, Hartley and Pearson 1957). Pairs count as independent. */
function intervalOfSrcc(srcc: number, pairs: number): [low: number, high: number] {
  const half = 1.96 * Math.sqrt(1.06 / (pairs - 3));
  const z = Math.atanh(srcc);
  return [Math.tanh(z - half), Math.tanh(z + half)];
}

function minutes(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

function short(seconds: number): string {
  return seconds < 10 ? seconds.toFixed(1) : String(Math.round(seconds));
}
