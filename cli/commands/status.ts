/** `critic status`: one look at a run: its stages, what it asks, and how it ended. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { type RunView, stageStatuses } from '../../domain/jobs/progress.ts';
import { stageSchema } from '../../domain/manifest.ts';
import { runStatuses } from '../../domain/names.ts';
import { scoringStages } from '../../domain/scoring/scoring.ts';
import { aRun } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { findRun, followedTypes, resultOf, resuming, type SeenRun, viewOf } from '../run-handle.ts';
import { type RunResult, runResult, verdictLines } from '../views/run-result.ts';
import { scoringLines, scoringResult } from '../views/scoring-result.ts';
import { cleanLines, commandIndent, fitted } from '../views/run-text.ts';
import { type ProgressByActivity, renderRunView, type ViewOptions as RunViewOptions } from '../views/run-view.ts';
import { type Register, type Shell, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { columnsOf, usualColumns } from '../views/table.ts';

const text = z.string().exactOptional();
const stage = z.object({
  stage: stageSchema,
  status: z.enum(stageStatuses),
  attempt: z.number().exactOptional(),
  jobId: text,
  jobState: text,
  activityId: text,
  startedAt: text,
  finishedAt: text,
  artifact: text,
  note: text,
  /** Why its activity is tried again, as the worker told the run. `progress` has it fresher. */
  trouble: z.object({ why: z.string(), at: z.string() }).exactOptional(),
});
const question = z.object({
  id: z.string(),
  stage: stageSchema,
  sentence: z.string(),
  remedy: text,
  logTail: z.string(),
  commands: z.array(z.string()),
});
const view: z.ZodType<RunView> = z.object({
  run: z.string(),
  recipe: z.string(),
  status: z.enum(runStatuses),
  waitingSince: z.string().exactOptional(),
  /** Somebody wants it to pause: since when, who and why. */
  paused: z
    .object({ since: z.string(), by: z.string().exactOptional(), note: z.string().exactOptional() })
    .exactOptional(),
  /** Somebody has cancelled it. */
  cancelling: z.literal(true).exactOptional(),
  /** The run that it goes on from. */
  resumes: z.string().exactOptional(),
  /** Where pages of the store are served. null: nowhere. */
  pages: z.string().nullable().exactOptional(),
  stages: z.array(stage),
  questions: z.array(question),
});
const look = z.object({
  run: z.string(),
  /** Temporal's word: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED, … */
  workflow: z.string(),
  seenAt: z.string(),
  /** Its workflow code cannot go on, so the view is what it said last, or null. */
  stuck: z.boolean(),
  /** The run's own words. null: no worker answers. */
  view: view.nullable(),
  /** Live numbers by activity, as `watch` shows them. */
  progress: z.record(z.string(), z.looseObject({ state: z.string() })),
  /** How it ended: with a verdict, or why it has none. null while it goes on. */
  end: z.union([runResult.omit({ summary: true }), z.object({ why: z.string() })]).nullable(),
});
export interface Look {
  run: string;
  workflow: string;
  seenAt: string;
  stuck: boolean;
  view: RunView | null;
  progress: ProgressByActivity;
  end: Omit<RunResult, 'summary'> | { why: string } | null;
}

export const statusView: View<Look> = {
  schema: look,
  lines: (value, columns = usualColumns) => linesOf(value, { columns, color: false }),
};

/** Looks once. Throws a CliError for a run that is not known. */
export async function status(client: Client, run: string, now = new Date()): Promise<Look> {
  const found = await findRun(client, run, followedTypes);
  const { status: workflow, isStuck: stuck, progress } = found;
  const [seen, end] = await Promise.all([stuck ? undefined : viewOf(client, found), endOf(found)]);
  return { run, workflow, seenAt: now.toISOString(), stuck, view: seen ?? null, progress, end };
}

async function endOf({ handle, isOpen, isScoring }: SeenRun): Promise<Look['end']> {
  if (isOpen) return null;
  try {
    if (isScoring) return { why: scoringLines(await resultOf(handle, scoringResult)).join('\n') };
    const { summary: _, ...end } = await resultOf(handle, runResult);
    return end;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { why: error.message };
  }
}

function linesOf(value: Look, options: RunViewOptions): string[] {
  const { run, workflow, seenAt, stuck, view: seen, progress, end } = value;
  if (stuck) return [`run ${run}  stuck: its workflow code cannot go on`, ...stuckLines];
  const width = options.columns - 1;
  const ended = end === null ? [] : ['', ...endLines(value, end, width)];
  if (seen === null) return [`run ${run}  ${workflow}: no worker answers, so its stages are not known now`, ...ended];
  const { word, ...shown } = shownAs(seen, value);
  return [...renderRunView(shown, progress, new Date(seenAt), { ...options, word }), ...ended];
}

const words: Record<string, string> = {
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed out',
};

/**
 * A run that has ended, as it is shown. Its own code cannot say that it was terminated or has failed: then stages that were under way say that they go
 * on. What gate and report note of themselves is said whole below.
 */
function shownAs(seen: RunView, { workflow, end, seenAt }: Look): RunView & { word?: string } {
  if (end === null) return seen;
  const stages = seen.stages.map((line) => {
    const isOpen = ['running', 'waiting', 'paused'].includes(line.status);
    if (isOpen) return { ...line, status: 'cancelled' as const, finishedAt: line.finishedAt ?? seenAt };
    const { note, ...rest } = line;
    const isSaid = !('why' in end) && (line.stage === 'gate' || line.stage === 'report');
    return isSaid || note === undefined ? rest : line;
  });
  const word = words[workflow];
  const isOwn = !['running', 'waiting', 'paused'].includes(seen.status);
  return { ...seen, stages, questions: [], ...(word === undefined || isOwn ? {} : { word }) };
}

function endLines({ run, workflow, view: seen }: Look, end: NonNullable<Look['end']>, width: number): string[] {
  if ('why' in end) {
    const isScoring = seen?.stages.some((line) => line.stage === scoringStages.pairs) ?? false;
    // Paths are to be copied.
    if (isScoring && workflow === 'COMPLETED') return cleanLines(end.why);
    const why = cleanLines(end.why).flatMap((line) => fitted(line, width));
    // A result that cannot be read is a verdict all the same.
    if (workflow === 'COMPLETED') return why;
    return [...why, 'Go on from what it has saved with:', `${commandIndent}${resuming(run, isScoring)}`];
  }
  const score = end.mainScore === null ? 'undefined' : end.mainScore.toFixed(3);
  return [`MainScore: ${score}`, ...verdictLines(end, undefined, width)];
}

const stuckLines = [
  '  Its jobs run on, and nothing is lost. Deploy the release that began it,',
  '  or terminate it in the Temporal UI and "critic resume" it.',
];

/** A terminal has its own width, and colours unless NO_COLOR is set. Anything else gets whole lines. */
function optionsFor({ stdout, env }: Shell): RunViewOptions {
  const columns = columnsOf(stdout);
  return { columns, color: columns < Infinity && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb' };
}

export const registerStatus: Register = (program, shell) => {
  program
    .command('status')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .option('--json', 'print it as JSON')
    .description('look at a run once: its stages, what it asks, and how it ended')
    .addHelpText('after', '\nExample: critic status demo-20261128-190000')
    .action(async (run: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => status(client, run));
      const shown = { ...statusView, lines: (one: Look) => linesOf(one, optionsFor(shell)) };
      shell.stdout.write(`${textOf(shown, value, options)}\n`);
    });
};
