/** `critic runs`: the runs that Temporal knows, newest first, by status, recipe and age. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { InvalidArgumentError } from 'commander';
import * as z from 'zod';
import { clusterOfQueue, queueOf } from '../../domain/clusters.ts';
import { shown } from '../../domain/errors.ts';
import { runStatuses } from '../../domain/names.ts';
import { chosenCluster } from '../cluster.ts';
import { aRecipe, wholeNumberFrom } from '../arguments.ts';
import { findRun, followedTypes, runType } from '../run-handle.ts';
import { fittedCells, usualColumns } from '../views/table.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';

/** The last five come from Temporal: the run's own code could not say them. `pausing` is of the list alone: in its own view the run has `paused`. */
const statuses = [...runStatuses, 'pausing', 'cancelling', 'stuck', 'failed', 'terminated', 'timed-out'] as const;
type Status = (typeof statuses)[number];

const row = z.object({
  run: z.string(),
  recipe: z.string().nullable(),
  /** null: the one without a name. */
  cluster: z.string().nullable(),
  status: z.enum(statuses),
  /** The stages at which it is, joined by `+`, or at which it ended. */
  stage: z.string().nullable(),
  /** MainScore of the candidate in [−1, 1]. */
  score: z.number().nullable(),
  startedAt: z.string(),
  /** null while it goes on. */
  endedAt: z.string().nullable(),
});
export type RunRow = z.output<typeof row>;
export const runsView: View<RunRow[]> = { schema: z.array(row), lines: tableOf };

export interface RunsFilter {
  status?: Status;
  recipe?: string;
  since?: Date;
  limit: number;
}

/** Runs, or scorings (`type`), as Temporal lists them, newest first. Its list may be some seconds behind. */
export async function runs(
  client: Client,
  { status, recipe, since, limit }: RunsFilter,
  type: (typeof followedTypes)[number] = runType,
): Promise<RunRow[]> {
  const cluster = chosenCluster(client);
  // Values are checked: none holds a quote.
  const conditions = [
    `WorkflowType = '${type}'`,
    ...(cluster === undefined ? [] : [`TaskQueue = '${queueOf('workflows', cluster)}'`]),
    ...(recipe === undefined ? [] : [`CriticRecipe = '${recipe}'`]),
    ...(since === undefined ? [] : [`StartTime >= '${since.toISOString()}'`]),
  ];
  const looked = status !== undefined && seenByLooking.includes(status);
  // Of a status there may be few among many.
  const pageSize = status === undefined ? Math.min(limit + 1, 1000) : 1000;
  /** By execution, open ones first, then those that ended last. */
  const found = new Map<string, RunRow>();
  const read = async (which: string, isEnough: (one: RunRow) => boolean): Promise<void> => {
    const query = [...conditions, which].join(' AND ');
    for await (const info of client.workflow.list({ query, pageSize })) {
      // A run that continued as new is listed by its newest part alone.
      if (info.status.name === 'CONTINUED_AS_NEW') continue;
      const one = rowOf(info);
      if (isEnough(one)) break;
      // A run that is stuck or being cancelled says that it runs.
      if (status === undefined || one.status === status || (looked && one.endedAt === null)) found.set(info.runId, one);
    }
  };
  // Temporal lists open ones newest first, and the others newest end first. In this order none that ends meanwhile is left out.
  await read("ExecutionStatus = 'Running'", () => found.size >= Math.max(limit, looked ? mostLooks : 0));
  await read("ExecutionStatus != 'Running'", (one) => isComplete([...found.values()], one, limit));
  // One that was reset is listed by its newest execution alone.
  const last = new Map([...found.values()].toReversed().map((one) => [one.run, one]));
  const newest = [...last.values()].toReversed().toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  const marked = await lookAtOpen(client, looked ? newest : newest.slice(0, limit));
  return marked.filter((one) => status === undefined || one.status === status).slice(0, limit);
}

/** What only a look at a run itself shows. */
const seenByLooking: readonly Status[] = ['stuck', 'cancelling'];

/** A run begins before it ends: once enough have begun after the end of the next one, no other is newer than they. */
function isComplete(found: readonly RunRow[], { endedAt }: RunRow, limit: number): boolean {
  return endedAt !== null && found.filter(({ startedAt }) => startedAt > endedAt).length >= limit;
}

/** How many open runs are looked at one by one, newest first: the list says neither whether a run's code can go on, nor at which stages it is now. */
const mostLooks = 50;

async function lookAtOpen(client: Client, rows: readonly RunRow[]): Promise<RunRow[]> {
  const open = rows.filter(({ endedAt }) => endedAt === null).slice(0, mostLooks);
  const seen = await Promise.all(open.map(async (one) => [one.run, await lookAt(client, one)] as const));
  const looked = new Map(seen);
  return rows.map((one) => looked.get(one.run) ?? one);
}

async function lookAt(client: Client, listed: RunRow): Promise<RunRow> {
  const { isStuck, isCancelling, working } = await findRun(client, listed.run, followedTypes);
  const stage = working.length === 0 ? listed.stage : working.join('+');
  if (isStuck) return { ...listed, stage, status: 'stuck' };
  return isCancelling ? { ...listed, stage, status: 'cancelling' } : { ...listed, stage };
}

function rowOf(info: WorkflowExecutionInfo): RunRow {
  const { workflowId, status, searchAttributes, startTime, closeTime, taskQueue } = info;
  const first = (attribute: string): unknown => searchAttributes[attribute]?.[0];
  const text = (attribute: string) => z.string().nullable().catch(null).parse(first(attribute));
  return {
    run: workflowId,
    recipe: text('CriticRecipe'),
    cluster: clusterOfQueue(taskQueue) ?? null,
    status: statusOf(status.name, text('CriticStatus')),
    stage: text('CriticStage'),
    score: z.number().nullable().catch(null).parse(first('CriticScore')),
    startedAt: startTime.toISOString(),
    endedAt: closeTime?.toISOString() ?? null,
  };
}

/** Temporal's word counts where it knows better: a run that was terminated still says that it is running. */
function statusOf(temporal: string, own: string | null): Status {
  switch (temporal) {
    case 'FAILED':
      return own === 'aborted' ? 'aborted' : 'failed';
    case 'TERMINATED':
      return 'terminated';
    case 'TIMED_OUT':
      return 'timed-out';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return [...runStatuses, 'pausing' as const].find((one) => one === own) ?? 'running';
  }
}

/** One line a run. Of one that is too long for the terminal the cluster is cut, then the status. */
function tableOf(rows: readonly RunRow[], columns: number = usualColumns): string[] {
  if (rows.length === 0) return ['no such runs'];
  const open: readonly Status[] = ['running', 'waiting', 'pausing', 'paused', 'cancelling', 'stuck'];
  const named = rows.some(({ cluster }) => cluster !== null);
  const cells = rows.map(({ run, status, stage, score, startedAt, cluster }) => [
    run,
    stage !== null && open.includes(status) ? `${status}: ${stage}` : status,
    score === null ? '' : score.toFixed(3),
    startedAt.slice(5, 16).replace('T', ' '),
    ...(named ? [cluster ?? ''] : []),
  ]);
  const heading = ['RUN', 'STATUS', 'SCORE', 'BEGAN (UTC)', ...(named ? ['CLUSTER'] : [])];
  const table = fittedCells([heading, ...cells], [4, 1], columns, 1);
  const widths = heading.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(' ')
      .trimEnd(),
  );
}

interface RunsOptions extends ViewOptions {
  status?: Status;
  recipe?: string;
  since?: Date;
  limit: number;
}

function aStatus(text: string): Status {
  const found = statuses.find((one) => one === text);
  if (found === undefined) throw new InvalidArgumentError(`expected one of ${statuses.join(', ')}, got ${shown(text)}`);
  return found;
}

const unitMs = { h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `36h`, `7d`, `2w` before now, or a date such as 2026-11-20 (UTC). */
export function aTime(text: string, now = new Date()): Date {
  const [, count, unit] = /^(\d{1,4})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && (unit === 'h' || unit === 'd' || unit === 'w')) {
    return new Date(now.getTime() - Number(count) * unitMs[unit]);
  }
  const date = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?$/.test(text) ? new Date(text) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError(
      `expected an age such as 36h, 7d or 2w, or a date such as 2026-11-20, got ${shown(text)}`,
    );
  }
  return date;
}

export const registerRuns: Register = (program, shell) => {
  program
    .command('runs')
    .option('--status <status>', `only those that are ${statuses.join(', ')}`, aStatus)
    .option('--recipe <name>', 'only those of this recipe', aRecipe)
    .option('--since <time>', 'only those begun since: 36h, 7d, 2w, or a date (UTC)', (text: string) => aTime(text))
    .option('--limit <n>', 'at most so many', wholeNumberFrom(1), 50)
    .option('--json', 'print them as JSON')
    .description('list runs, newest first')
    .addHelpText('after', '\nExample: critic runs --status waiting --since 7d')
    .action(async (options: RunsOptions) => {
      const value = await withClient(shell, (client) => runs(client, options));
      shell.stdout.write(`${textOf(runsView, value, options, shell.stdout)}\n`);
    });
};
