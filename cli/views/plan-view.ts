/** A plan as a terminal shows it: what exists, what will be made, and what that takes. Pure. */
import {
  isOverBudget,
  type JobEstimate,
  type Previews,
  type RunEstimate,
  type StageEstimate,
  type SynthesisEstimate,
} from '../../domain/estimate/estimate.ts';
import { attemptFiles } from '../../domain/names.ts';
import { textTable } from '../../domain/text-table.ts';
import { configsOf } from './plan-configs.ts';
import { diskLines, killLines, testSplitLines } from './plan-risks.ts';

/**
 * What jobs would be given, a table of stages, then sentences on money and on what is not known. With `configs`, the folder in which the former
 * was written, only that is said of it.
 */
export function renderPlan({ recipe, dataset, stages, previews, disk }: RunEstimate, configs?: string): string[] {
  const splits = (['train', 'dev', 'test'] as const).map((split) => `${dataset[split] ?? 0} ${split}`).join(', ');
  const header = ['', 'action', 'steps', 'rows', 'USD', 'time', 'GPU-hours', 'at most'];
  const asking = stages.find(({ synthesis }) => synthesis !== undefined)?.synthesis;
  return [
    ...(configs === undefined ? previewLines(previews) : writtenLines(previews, configs)),
    `Recipe ${recipe}, dataset of ${splits}.`,
    ...testSplitLines(dataset['test'] ?? 0),
    'Nothing was asked or submitted.',
    '',
    ...textTable([header, ...stages.map(stageRow)]),
    '',
    'Evaluation, gate and report are made in any case, in seconds.',
    ...(asking === undefined ? [] : askingLines(asking)),
    ...jobLines(stages),
    ...killLines(stages),
    ...diskLines(disk),
  ];
}

/** What Slurm would be asked for and the engines' settings, job by job. `attempt.json` is longer and left to `--configs`. */
function previewLines(previews: Previews | undefined): string[] {
  if (previews === undefined) return [];
  const shown = previews.jobs.flatMap((job) =>
    Object.entries(configsOf(job))
      .filter(([file]) => file !== attemptFiles.manifest)
      .flatMap(([file, text]) => [
        `${job.stage}/${file}`,
        ...text
          .trimEnd()
          .split('\n')
          .map((line) => `  ${line}`),
        '',
      ]),
  );
  return [...shown, ...previews.notes];
}

function writtenLines(previews: Previews | undefined, configs: string): string[] {
  const stages = (previews?.jobs ?? []).map(({ stage }) => stage);
  const written =
    stages.length === 0
      ? `No job is to be made: nothing was written into ${configs}.`
      : `Job requests, attempts and engine settings are in ${configs}, for`;
  return [written, ...(stages.length === 0 ? [] : [`  ${stages.join(', ')}.`]), ...(previews?.notes ?? [])];
}

function stageRow({ stage, action, job, synthesis }: StageEstimate): string[] {
  if (synthesis !== undefined) {
    const { rows, answered, usd } = synthesis;
    return [stage, action, '', `${rows - answered} of ${rows}`, money(usd.expected), '', '', money(usd.atMost)];
  }
  if (job === undefined) return [stage, action];
  const { steps, rows, seconds, gpuHours } = job;
  const time = seconds === null ? 'unknown' : duration(seconds);
  const amounts = [stage, action, String(steps ?? ''), String(rows ?? ''), '', time];
  // A job without GPUs.
  if (gpuHours.atMost === 0) return amounts;
  const hours = gpuHours.expected === null ? 'unknown' : gpuHours.expected.toFixed(2);
  return [...amounts, hours, `${gpuHours.atMost.toFixed(2)} h`];
}

function askingLines(asking: SynthesisEstimate): string[] {
  const { tokens, usd } = asking;
  const millions = (count: number) => `${(count / 1e6).toFixed(2)} M`;
  const paid = usd.spent > 0 ? ` ${money(usd.spent)} is spent already.` : '';
  const lines = [
    `Synthesis: ${millions(tokens.input)} tokens in (${millions(tokens.images)} of them images), ${millions(tokens.output)} out.`,
    `  ${money(usd.expected)} with one answer of usual length a row,`,
    `  ${money(usd.atMost)} if every try were used and filled max_tokens;`,
    `  the cap is ${money(usd.cap)}.${paid}`,
  ];
  if (isOverBudget(asking)) {
    lines.push(
      `WARNING: the cap will stop it. recipe.synthesis.budget_usd: expected at least ${money(usd.spent + usd.expected)}, got ${money(usd.cap)}`,
    );
  }
  return lines;
}

function jobLines(stages: readonly StageEstimate[]): string[] {
  const jobs = stages.flatMap(({ job }) => job ?? []);
  if (jobs.length === 0) return [];
  const runs = [...new Set(jobs.flatMap(({ measuredIn }) => measuredIn ?? []))];
  const measured = runs.length === 0 ? [] : [`Times follow from those of ${runs.join(', ')}, on the same hardware.`];
  const isUnknown = jobs.some(({ seconds }) => seconds === null);
  const unknown = isUnknown ? ['Unknown: no run of this recipe’s name has finished such a job yet.'] : [];
  const long = stages.flatMap(({ stage, job }) => (job === undefined ? [] : longJobLine(stage, job)));
  return [...measured, ...unknown, 'At most, in GPU-hours: one attempt up to its time limit.', ...long];
}

/** Where the time that a job took before does not fit into one attempt. A job without GPUs has no GPU-hours to compare. */
function longJobLine(stage: string, { gpuHours: { expected, atMost } }: JobEstimate): string[] {
  if (expected === null || atMost === 0 || expected <= atMost) return [];
  const times = expected / atMost;
  return [
    `WARNING: ${stage} takes about ${times.toFixed(1)} times its time limit: ${Math.ceil(times)} attempts, each resumed from a checkpoint. ` +
      `recipe: expected a longer resources.time_limit_minutes`,
  ];
}

function money(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 1 ? 4 : 2)}`;
}

function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return minutes < 90 ? `${minutes} min` : `${(seconds / 3600).toFixed(1)} h`;
}
