/** `critic experiment list`, `status`, `watch` and `cancel`. */
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import * as z from 'zod';
import { aRun, many, wholeNumberFrom } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { resultOf } from '../../run-handle.ts';
import { type Shell, textOf, type View, type ViewOptions, warningOn, withClient } from '../../shell.ts';
import { waitsForWorker } from '../../workers.ts';
import {
  type ExperimentHandle,
  experimentType,
  findExperiment,
  memberSchema,
  resultSchema,
  viewOf,
} from './experiments.ts';
import { followExperiments } from './follow.ts';
import { recordedOf } from './recorded.ts';

const listed = z.object({
  id: z.string(),
  /** Temporal's word in small letters: running, completed, failed, cancelled, terminated. */
  status: z.string(),
  startedAt: z.string(),
  /** null while it goes on. */
  endedAt: z.string().nullable(),
});
const list = z.array(listed);
export const experimentsView: View<z.output<typeof list>> = { schema: list, lines: listLines };

/** The newest first. Temporal's list may be some seconds behind. */
export async function listExperiments(client: Client, limit: number): Promise<z.output<typeof list>> {
  const found: z.output<typeof list> = [];
  for await (const info of client.workflow.list({ query: `WorkflowType = '${experimentType}'` })) {
    found.push({
      id: info.workflowId,
      status: info.status.name.toLowerCase(),
      startedAt: info.startTime.toISOString(),
      endedAt: info.closeTime?.toISOString() ?? null,
    });
  }
  return found.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1)).slice(0, limit);
}

function listLines(rows: z.output<typeof list>): string[] {
  if (rows.length === 0) return ['no experiments; "critic experiment run FILE" begins one'];
  return rows.map(({ id, status, startedAt }) => `${id}  ${status}  ${startedAt.slice(5, 16).replace('T', ' ')}`);
}

const seen = z.object({
  id: z.string(),
  /** Temporal's word in small letters. */
  status: z.string(),
  members: z.array(memberSchema),
  /** Why it failed, or what keeps it from going on; null: nothing. */
  trouble: z.string().nullable(),
  /** Path of `report.html` as the worker sees it; null before the end. */
  report: z.string().nullable(),
  /** The table for a terminal; empty before the end. */
  summary: z.string(),
});
export type SeenExperiment = z.output<typeof seen>;
export const experimentView: View<SeenExperiment> = { schema: seen, lines: statusLines };

/** While no worker answers, and after an early end, the runs are as Temporal has recorded them. */
export async function experimentStatus(client: Client, id: string): Promise<SeenExperiment> {
  const { handle, status, isOpen, trouble } = await findExperiment(client, id);
  const known = { id, status: status.toLowerCase(), report: null, summary: '' };
  if (status === 'COMPLETED') {
    const { members, report, summary } = await resultOf(handle, resultSchema);
    return { ...known, members, trouble: null, report, summary };
  }
  const view = isOpen ? await viewOf(client, handle) : undefined;
  const members = view?.members ?? (await recordedOf(client, id)).members;
  const silent = isOpen && view === undefined ? 'no worker answers; this is what Temporal has recorded' : undefined;
  const why = isOpen ? undefined : await whyEnded(handle);
  return { ...known, members, trouble: trouble ?? silent ?? why ?? null };
}

/** The sentence of an end without a result. */
async function whyEnded(handle: ExperimentHandle): Promise<string | undefined> {
  try {
    await resultOf(handle, resultSchema);
    return undefined;
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
}

function statusLines({ id, status, members, trouble, report, summary }: SeenExperiment): string[] {
  const rows = members.map(({ arm, seed, status: how, run, mainScore, sentence }) => {
    const score = mainScore === null ? '' : mainScore.toFixed(3);
    const line = `  ${arm}, seed ${seed}: ${how} ${score} ${run ?? ''}`.replaceAll(/(?<=\S) +/g, ' ').trimEnd();
    return sentence === undefined ? [line] : [line, `    ${sentence}`];
  });
  return [
    `${id}: ${status}`,
    ...(trouble === null ? [] : [`  ${trouble}`]),
    ...rows.flat(),
    ...(summary === '' ? [] : ['', ...summary.trimEnd().split('\n')]),
    ...(report === null ? [] : [`Report: ${report}`]),
  ];
}

const cancelled = z.object({ id: z.string(), status: z.literal('cancelling') });
export const experimentCancelView: View<z.output<typeof cancelled>> = {
  schema: cancelled,
  lines: ({ id }) => [`asked ${id} to cancel its runs and end`],
};

/** Says by `warn` if it waits for a worker. Throws a CliError for one that is over. */
export async function cancelExperiment(
  client: Client,
  id: string,
  warn: (sentence: string) => void,
): Promise<z.output<typeof cancelled>> {
  const { handle, cluster, status, isOpen } = await findExperiment(client, id);
  if (!isOpen) throw new CliError(`experiment ${id}: expected one that goes on, got one that has ended (${status})`);
  await handle.cancel();
  const waits = await waitsForWorker(client, cluster, `${id} ends, and its runs with it,`);
  if (waits !== undefined) warn(waits);
  return { id, status: 'cancelling' };
}

const anExample = 'experiment-mix-20261129-030000';

export function registerLooking(experiment: Command, shell: Shell): void {
  experiment
    .command('list')
    .option('--limit <n>', 'at most so many', wholeNumberFrom(1), 20)
    .option('--json', 'print them as JSON')
    .description('list experiments, newest first')
    .addHelpText('after', '\nExample: critic experiment list --limit 5')
    .action(async (options: ViewOptions & { limit: number }) => {
      const value = await withClient(shell, (client) => listExperiments(client, options.limit));
      shell.stdout.write(`${textOf(experimentsView, value, options)}\n`);
    });
  experiment
    .command('status')
    .argument('<experiment>', 'its id', aRun)
    .option('--json', 'print it as JSON')
    .description('show the runs of an experiment, and its table once it has ended')
    .addHelpText('after', `\nExample: critic experiment status ${anExample}`)
    .action(async (id: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => experimentStatus(client, id));
      shell.stdout.write(`${textOf(experimentView, value, options)}\n`);
    });
  experiment
    .command('watch')
    .argument('<experiment...>', 'ids', many(aRun))
    .option('--json', 'print how they ended as JSON; what happens is shown on stderr')
    .description('show experiments until they end')
    .addHelpText('after', `\nExample: critic experiment watch ${anExample}`)
    .action((ids: string[], options: ViewOptions) =>
      withClient(shell, async (client) => {
        for (const id of ids) await findExperiment(client, id); // one that does not exist is told before anything is shown
        await followExperiments(shell, client, ids, options);
      }),
    );
  experiment
    .command('cancel')
    .argument('<experiment>', 'its id', aRun)
    .option('--json', 'print it as JSON')
    .description('cancel an experiment, its runs and their jobs')
    .addHelpText('after', `\nExample: critic experiment cancel ${anExample}`)
    .action(async (id: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => cancelExperiment(client, id, warningOn(shell)));
      shell.stdout.write(`${textOf(experimentCancelView, value, options)}\n`);
    });
}
