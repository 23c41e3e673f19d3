/** `critic status`: one look at a run: its stages, and what it asks. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { type RunView, stageStatuses } from '../../domain/jobs/progress.ts';
import { stageSchema } from '../../domain/manifest.ts';
import { runStatuses } from '../../domain/names.ts';
import { aRun } from '../arguments.ts';
import { findRun, queryView } from '../run-handle.ts';
import { type ProgressByActivity, renderRunView } from '../run-view.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';

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
});
export interface Look {
  run: string;
  workflow: string;
  seenAt: string;
  stuck: boolean;
  view: RunView | null;
  progress: ProgressByActivity;
}

export const statusView: View<Look> = { schema: look, lines: linesOf };

/** Looks once. Throws a CliError for a run that is not known. */
export async function status(client: Client, run: string, now = new Date()): Promise<Look> {
  const { handle, status: workflow, isStuck: stuck, progress } = await findRun(client, run);
  const seen = stuck ? undefined : await queryView(client, handle);
  return { run, workflow, seenAt: now.toISOString(), stuck, view: seen ?? null, progress };
}

function linesOf({ run, workflow, seenAt, stuck, view: seen, progress }: Look): string[] {
  if (stuck) return [`run ${run}  stuck: its workflow code cannot go on`, ...stuckLines];
  if (seen === null) return [`run ${run}  ${workflow}: no worker answers, so its stages are not known now`];
  // The run's own code cannot say that it was terminated or has failed.
  const shown = ['RUNNING', 'PAUSED', 'COMPLETED'].includes(workflow) ? [] : [`Temporal says: ${workflow}`];
  return [...renderRunView(seen, progress, new Date(seenAt), { columns: 80, color: false }), ...shown];
}

const stuckLines = [
  '  Its jobs run on, and nothing is lost. Deploy the release that began it,',
  '  or terminate it in the Temporal UI and "critic resume" it.',
];

export const registerStatus: Register = (program, shell) => {
  program
    .command('status')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .option('--json', 'print it as JSON')
    .description('look at a run once: its stages, and what it asks')
    .addHelpText('after', '\nExample: critic status demo-20261128-190000')
    .action(async (run: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => status(client, run));
      shell.stdout.write(`${textOf(statusView, value, options)}\n`);
    });
};
