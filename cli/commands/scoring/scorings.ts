/** `critic scorings`: what `score` and `evaluate` have begun, newest first. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { textTable } from '../../../domain/text-table.ts';
import { aTime, type RunsFilter, runs } from '../runs.ts';
import { wholeNumberFrom } from '../../arguments.ts';
import { scoringType } from '../../run-handle.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';

const row = z.object({
  scoring: z.string(),
  purpose: z.enum(['score', 'evaluate']),
  /** null: the one without a name. */
  cluster: z.string().nullable(),
  /** As that of a run; `scored`: it has its scores. */
  status: z.string(),
  stage: z.string().nullable(),
  startedAt: z.string(),
  /** null while it goes on. */
  endedAt: z.string().nullable(),
});
type ScoringRow = z.output<typeof row>;
export const scoringsView: View<ScoringRow[]> = { schema: z.array(row), lines: linesOf };

/** As Temporal lists them, newest first. Its list may be some seconds behind. */
export async function scorings(client: Client, filter: Pick<RunsFilter, 'since' | 'limit'>): Promise<ScoringRow[]> {
  return (await runs(client, filter, scoringType)).map(({ run, cluster, status, stage, startedAt, endedAt }) => ({
    scoring: run,
    purpose: run.startsWith('evaluate-') ? 'evaluate' : 'score',
    cluster,
    status: status === 'passed' ? 'scored' : status,
    stage,
    startedAt,
    endedAt,
  }));
}

function linesOf(rows: ScoringRow[]): string[] {
  if (rows.length === 0) return ['no such scorings'];
  const cells = rows.map(({ scoring, status, startedAt }) => [
    scoring,
    status,
    startedAt.slice(0, 16).replace('T', ' '),
  ]);
  return textTable([['SCORING', 'STATUS', 'BEGAN (UTC)'], ...cells]);
}

interface ScoringsOptions extends ViewOptions {
  since?: Date;
  limit: number;
}

export const registerScorings: Register = (program, shell) => {
  program
    .command('scorings')
    .option('--since <time>', 'only those begun since: 36h, 7d, 2w, or a date (UTC)', (text: string) => aTime(text))
    .option('--limit <n>', 'at most so many', wholeNumberFrom(1), 50)
    .option('--json', 'print them as JSON')
    .description('list what score and evaluate have begun, newest first')
    .addHelpText('after', '\nExample: critic scorings --since 7d')
    .action(async (options: ScoringsOptions) => {
      const value = await withClient(shell, (client) => scorings(client, options));
      shell.stdout.write(`${textOf(scoringsView, value, options)}\n`);
    });
};
