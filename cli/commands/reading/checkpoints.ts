/** `critic checkpoints`: the complete checkpoints that a run's attempts have left. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { textTable } from '../../../domain/text-table.ts';
import { aRun } from '../../arguments.ts';
import { inquire } from '../../inquire.ts';
import { sizeText } from '../../views/log-text.ts';
import { requireRun } from '../../run-artifacts.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { jobStageSchema } from './attempt-logs.ts';

const checkpoint = z.object({
  stage: jobStageSchema,
  attempt: z.number(),
  step: z.number(),
  bytes: z.number(),
  savedAt: z.string(),
  path: z.string(),
  key: z.string().nullable(),
  /** A worker of an earlier release does not say it. */
  resumes: z.boolean().default(false),
});
const list = z.array(checkpoint);
export type Checkpoint = z.output<typeof checkpoint>;
export const checkpointsView: View<Checkpoint[]> = { schema: list, lines: tableOf };

/** Oldest first. Throws a CliError for a run that nobody knows. */
export async function checkpoints(client: Client, run: string): Promise<Checkpoint[]> {
  const found = await inquire(client, 'checkpoints', { run }, z.object({ checkpoints: list }));
  if (found.checkpoints.length === 0) await requireRun(client, run);
  return found.checkpoints;
}

function tableOf(all: readonly Checkpoint[]): string[] {
  if (all.length === 0) return ['no checkpoints'];
  const rows = all.map(({ stage, attempt, step, bytes, savedAt, resumes }) => [
    `${stage} attempt ${attempt}`,
    String(step),
    sizeText(bytes),
    savedAt.slice(5, 16).replace('T', ' '),
    resumes ? '<' : '',
  ]);
  return [
    ...textTable([['OF', 'STEP', 'SIZE', 'SAVED (UTC)', ''], ...rows]),
    ...(all.some(({ resumes }) => resumes) ? ['<  the next attempt, or "critic resume", goes on from here'] : []),
    `${sizeText(all.reduce((sum, { bytes }) => sum + bytes, 0))} in all; --json has the paths`,
  ];
}

export const registerCheckpoints: Register = (program, shell) => {
  program
    .command('checkpoints')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .option('--json', 'print them as JSON, with their paths')
    .description('list the complete checkpoints that a run’s attempts have left')
    .addHelpText('after', '\nExample: critic checkpoints demo-20261128-190000')
    .action(async (run: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => checkpoints(client, run));
      shell.stdout.write(`${textOf(checkpointsView, value, options)}\n`);
    });
};
