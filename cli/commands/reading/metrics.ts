/** `critic metrics`: the numbers of a stage's training as one series, whatever number of attempts it took. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { type MetricsRow, metricsRowSchema } from '../../../domain/manifest.ts';
import type { JobStage } from '../../../domain/names.ts';
import { textTable } from '../../../domain/text-table.ts';
import { aJobStage, aPath, aRun, wholeNumberFrom } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { inquire } from '../../inquire.ts';
import { artifactKeys, requireRun } from '../../run-artifacts.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { appendEvents, writeEvents } from '../../tensorboard.ts';
import { columnsOf, usualColumns } from '../../views/table.ts';
import { attemptsReply, goesOn, jobStageSchema } from './attempt-logs.ts';

const series = z.object({
  run: z.string(),
  stage: jobStageSchema,
  attempts: z.number(),
  rows: z.array(metricsRowSchema),
});
export type Series = z.output<typeof series>;
export const metricsView: View<Series> = { schema: series, lines: ({ rows }) => tableOf(rows) };

const reply = z.object({ rows: z.array(metricsRowSchema), more: z.boolean(), attempts: z.number() });

/** All rows of the stage. Throws a CliError if there are none. */
export async function metrics(client: Client, run: string, given: JobStage | undefined): Promise<Series> {
  const stage = given ?? (await newestStage(client, run));
  const { key, rows, attempts } = await rowsAfter(client, run, stage, undefined, -Infinity, 0);
  if (rows.length > 0) return { run, stage, attempts, rows };
  await requireRun(client, run);
  const why = attempts > 0 || key !== null ? 'has no number yet' : 'has not begun';
  throw new CliError(`run ${run}: stage ${stage} ${why}; "critic status ${run}" says what goes on`);
}

async function newestStage(client: Client, run: string): Promise<JobStage> {
  const { attempts } = await inquire(client, 'attempts', { run, stage: null }, attemptsReply);
  // Predictions count rows and have no curves: the newest training is meant.
  const trained = attempts.findLast(({ stage }) => /^(?:sft|grpo)/.test(stage));
  return trained?.stage ?? attempts.at(-1)?.stage ?? 'grpo';
}

interface Found {
  key: string | null;
  rows: MetricsRow[];
  attempts: number;
}

async function rowsAfter(
  client: Client,
  run: string,
  stage: JobStage,
  known: string | null | undefined,
  after: number,
  waitSeconds: number,
): Promise<Found> {
  const key = known === undefined ? ((await artifactKeys(client, run))[stage] ?? null) : known;
  const rows: MetricsRow[] = [];
  for (let from = Math.max(after, -1); ;) {
    const page = await inquire(client, 'metrics', { run, stage, key, after: from, waitSeconds }, reply);
    rows.push(...page.rows);
    if (!page.more) return { key, rows, attempts: page.attempts };
    from = page.rows.at(-1)?.step ?? from;
  }
}

/** Hands each new row to `show` until the run is over. */
async function followMetrics(
  client: Client,
  { run, stage, rows }: Series,
  show: (rows: MetricsRow[]) => void | Promise<void>,
): Promise<void> {
  let last = rows.at(-1)?.step ?? -1;
  for (let isOpen = true; isOpen;) {
    isOpen = await goesOn(client, run);
    const found = await rowsAfter(client, run, stage, null, last, isOpen ? 15 : 0);
    if (found.rows.length > 0) await show(found.rows);
    last = found.rows.at(-1)?.step ?? last;
    if (isOpen) await sleep(3000);
  }
}

/** Columns of the table, the most telling ones first. Those that fit the terminal are shown, on a pipe all. */
const telling = [
  'loss',
  'reward',
  'reward_l1',
  'reward_format',
  'response_length',
  'rows',
  'lr',
  'grad_norm',
  'entropy',
  'epoch',
  'validation_reward',
];

const shown = (value: unknown): string => {
  if (typeof value !== 'number') return value === undefined || value === null ? '' : JSON.stringify(value);
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
};

function tellingColumns(rows: readonly MetricsRow[], width: number = usualColumns): string[] {
  const chosen: string[] = [];
  let used = 8;
  for (const name of telling) {
    if (!rows.some((row) => row[name] !== undefined && row[name] !== null)) continue;
    const chars = Math.max(name.length, ...rows.map((row) => shown(row[name]).length)) + 2;
    if (used + chars > width) continue;
    used += chars;
    chosen.push(name);
  }
  return chosen;
}

function tableOf(rows: readonly MetricsRow[], columns = tellingColumns(rows), withHeading = true): string[] {
  const cells = rows.map((row) => [String(row.step), ...columns.map((name) => shown(row[name]))]);
  return textTable([...(withHeading ? [['step', ...columns]] : []), ...cells]);
}

/** Names of all columns of these rows, in the order in which they first appear. */
export function csvColumns(rows: readonly MetricsRow[]): string[] {
  return [...new Set(['step', ...rows.flatMap((row) => Object.keys(row))])];
}

/** Rows as CSV (RFC 4180). A list has blanks between its items; what is absent is empty. */
export function csvLines(rows: readonly MetricsRow[], columns: readonly string[]): string[] {
  return rows.map((row) => columns.map((name) => cell(row[name])).join(','));
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = Array.isArray(value) ? value.join(' ') : typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

interface MetricsOptions extends ViewOptions {
  follow?: true;
  csv?: true;
  tensorboard?: string;
  last?: number;
}

export const registerMetrics: Register = (program, shell) => {
  program
    .command('metrics')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .argument('[stage]', 'a stage with a job (default: the newest training)', aJobStage)
    .option('-f, --follow', 'go on as rows come, until the run is over')
    .option('--csv', 'all columns as CSV; with -f those of the first rows')
    .option(
      '--tensorboard <dir>',
      'write a TensorBoard event file there instead, in RUN/STAGE; -f appends to it',
      aPath,
    )
    .option('--last <n>', 'the last rows only', wholeNumberFrom(1))
    .option('--json', 'print all rows as JSON (not with -f)')
    .description('print the numbers of a training, one row a step, all attempts stitched')
    .addHelpText('after', '\nExample: critic metrics demo-20261128-190000 grpo --csv > grpo.csv')
    .action(async (run: string, stage: JobStage | undefined, options: MetricsOptions) => {
      if (options.follow === true && options.json === true) throw new CliError('--json: expected no -f beside it');
      if (options.tensorboard !== undefined && (options.json === true || options.csv === true))
        throw new CliError('--tensorboard: expected neither --csv nor --json beside it');
      await withClient(shell, async (client) => {
        const all = await metrics(client, run, stage);
        if (options.tensorboard !== undefined) {
          const path = join(options.tensorboard, run, all.stage, 'events.out.tfevents.critic');
          await writeEvents(path, all.rows);
          shell.stdout.write(`${all.rows.length} steps: ${path}\n`);
          if (options.follow === true) await followMetrics(client, all, (rows) => appendEvents(path, rows));
          return;
        }
        const value = options.last === undefined ? all : { ...all, rows: all.rows.slice(-options.last) };
        const columns = options.csv === true ? csvColumns(all.rows) : tellingColumns(all.rows, columnsOf(shell.stdout));
        const lines = (rows: readonly MetricsRow[], isFirst: boolean) =>
          options.csv === true
            ? [...(isFirst ? [columns.join(',')] : []), ...csvLines(rows, columns)]
            : tableOf(rows, columns, isFirst);
        const text = options.json === true ? textOf(metricsView, value, options) : lines(value.rows, true).join('\n');
        shell.stdout.write(`${text}\n`);
        if (options.follow !== true) return;
        await followMetrics(client, all, (rows) => void shell.stdout.write(`${lines(rows, false).join('\n')}\n`));
      });
    });
};
