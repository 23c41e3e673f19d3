/** `critic schedule list` and `describe`: what stands, the next nights, and how the last ones ended. */
import type { Client, ScheduleDescription } from '@temporalio/client';
import type { Command } from 'commander';
import * as z from 'zod';
import { shown } from '../../../domain/errors.ts';
import { isSafeName } from '../../../domain/names.ts';
import { nightVerdicts } from '../../../domain/nights/night.ts';
import { aNight } from '../../arguments.ts';
import { runType } from '../../run-handle.ts';
import { cleanLines, fitted } from '../../views/run-text.ts';
import { usualColumns } from '../../views/table.ts';
import { type Shell, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { clusterOfStanding, nightType, requireStanding, type Standing, standingNights } from './schedules.ts';

const nextShown = 5;
const lastShown = 10;

const listed = z.object({
  night: z.string(),
  /** null: the schedule was not made by this release. */
  recipe: z.string().nullable(),
  /** Where its runs are made. null: the cluster without a name. */
  cluster: z.string().nullable(),
  paused: z.boolean(),
  note: z.string().nullable(),
  /** null: none is due. */
  next: z.string().nullable(),
});
const lived = z.object({
  at: z.string(),
  workflow: z.string(),
  /** `running`; `lost`: its workflow was terminated or broke, so nobody says how the night ended. */
  verdict: z.enum([...nightVerdicts, 'running', 'lost']),
  run: z.string().nullable(),
  sentence: z.string(),
});
const list = z.array(
  listed.extend({
    /** The newest that Temporal remembers. null: none. */
    last: lived.nullable(),
  }),
);
export const listView: View<z.output<typeof list>> = { schema: list, lines: listLines };

const described = listed.extend({
  /** As its file says. null: the schedule was not made by this release. */
  file: z.record(z.string(), z.unknown()).nullable(),
  nextNights: z.array(z.string()),
  lastNights: z.array(lived),
});
export type DescribedNight = z.output<typeof described>;
export const describedView: View<DescribedNight> = { schema: described, lines: describedLines };

function rowOf(standing: Standing): z.output<typeof listed> {
  const {
    name,
    night,
    described: { info, state },
  } = standing;
  return {
    night: name,
    recipe: night?.recipe ?? null,
    cluster: clusterOfStanding(standing) ?? null,
    paused: state.paused,
    note: state.note === undefined || state.note === '' ? null : state.note,
    next: nextOf(info)[0] ?? null,
  };
}

function nextOf({ nextActionTimes }: ScheduleDescription['info']): string[] {
  return nextActionTimes.slice(0, nextShown).map((time) => time.toISOString());
}

export async function listNights(client: Client): Promise<z.output<typeof list>> {
  const standing = await standingNights(client);
  return Promise.all(
    standing.map(async (one) => ({ ...rowOf(one), last: (await lastNights(client, one.name, 1))[0] ?? null })),
  );
}

export async function describeNight(client: Client, name: string): Promise<DescribedNight> {
  const found = await requireStanding(client, name);
  const { night, described: seen } = found;
  return {
    ...rowOf(found),
    file: night === undefined ? null : { ...night },
    nextNights: nextOf(seen.info),
    lastNights: await lastNights(client, name, lastShown),
  };
}

const resultSchema = z.object({
  at: z.string(),
  verdict: z.enum(nightVerdicts),
  run: z.string().nullable(),
  sentence: z.string(),
});

/** The newest first, as Temporal remembers them. */
async function lastNights(client: Client, name: string, most: number): Promise<z.output<typeof lived>[]> {
  if (!isSafeName(name)) return [];
  const found: z.output<typeof lived>[] = [];
  const query = `WorkflowType = '${nightType}' AND CriticNight = '${name}'`;
  for await (const { workflowId, runId, status, startTime, searchAttributes } of client.workflow.list({ query })) {
    if (found.length >= most) break;
    const scheduled = searchAttributes['TemporalScheduledStartTime']?.[0];
    const at = (scheduled instanceof Date ? scheduled : startTime).toISOString();
    const own = { at, workflow: workflowId, run: null };
    if (status.name === 'RUNNING') {
      found.push({ ...own, verdict: 'running', run: await runOf(client, workflowId, runId), sentence: '' });
    }
    if (status.name === 'COMPLETED') {
      const { data } = resultSchema.safeParse(await client.workflow.getHandle(workflowId, runId).result());
      found.push({ ...own, verdict: 'lost', sentence: 'its result is of another release', ...data });
    }
    if (!['RUNNING', 'COMPLETED'].includes(status.name))
      found.push({ ...own, verdict: 'lost', sentence: `its workflow is ${status.name.toLowerCase()}` });
  }
  return found;
}

/** The run that a night has begun, its child. null: none yet. */
async function runOf(client: Client, workflowId: string, runId: string): Promise<string | null> {
  const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
  return raw.pendingChildren?.find(({ workflowTypeName }) => workflowTypeName === runType)?.workflowId ?? null;
}

const minute = (iso: string | null) => (iso === null ? '-' : iso.slice(0, 16).replace('T', ' '));

function listLines(rows: z.output<typeof list>, columns: number = usualColumns): string[] {
  if (rows.length === 0) return ['no nights are scheduled; "critic schedule apply FILE" schedules one'];
  const named = rows.some(({ cluster }) => cluster !== null);
  const cells = rows.map(({ night, cluster, next, paused, last }) => [
    night,
    ...(named ? [cluster ?? '-'] : []),
    paused ? 'paused' : minute(next),
    last === null ? '-' : `${last.verdict} ${minute(last.at)}`,
  ]);
  const table = leftTable([['NIGHT', ...(named ? ['CLUSTER'] : []), 'NEXT (UTC)', 'LAST (UTC)'], ...cells]);
  const notes = rows.flatMap(({ night, note, paused }) => (paused && note !== null ? [`${night}: ${note}`] : []));
  return [...table, ...notes].flatMap((line) => fitted(line, columns));
}

/** Cells in aligned columns, each from the left. */
function leftTable(rows: readonly string[][]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0)) + 2;
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('')
      .trimEnd(),
  );
}

function describedLines({ night, paused, note, file, nextNights, lastNights: last }: DescribedNight): string[] {
  const fields = Object.entries(file ?? {}).filter(([field]) => field !== 'schema' && field !== 'name');
  return [
    `${night}${paused ? ` is paused${note === null ? '' : `: ${note}`}` : ''}`,
    ...fields.map(([field, value]) => `  ${field}: ${typeof value === 'string' ? value : shown(value)}`),
    'Next nights (UTC)',
    ...(nextNights.length === 0 ? ['  none'] : nextNights.map((at) => `  ${minute(at)}`)),
    'Last nights (UTC)',
    ...(last.length === 0 ? ['  none'] : last.flatMap(lastLines)),
  ];
}

/** A night that has a run says no more: the run does. Of a wrong recipe each fault has a line of its own. */
function lastLines({ at, verdict, run, sentence }: z.output<typeof lived>): string[] {
  const [why = '', ...more] = verdict === 'passed' || run !== null ? [] : cleanLines(sentence);
  const first = [minute(at), verdict, run ?? why].filter((part) => part !== '').join(' ');
  return [`  ${first}`, ...more.map((line) => `      ${line.trim()}`)];
}

export function registerLook(schedule: Command, shell: Shell): void {
  schedule
    .command('list')
    .option('--json', 'print them as JSON')
    .description('list nights, when each is next, and how the last one ended')
    .addHelpText('after', '\nExample: critic schedule list')
    .action(async (options: ViewOptions) => {
      const value = await withClient(shell, listNights);
      shell.stdout.write(`${textOf(listView, value, options, shell.stdout)}\n`);
    });
  schedule
    .command('describe')
    .argument('<night>', 'its name', aNight)
    .option('--json', 'print it as JSON')
    .description('show a night: its file, the next five, and how the last ten ended')
    .addHelpText('after', '\nExample: critic schedule describe nightly')
    .action(async (name: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => describeNight(client, name));
      shell.stdout.write(`${textOf(describedView, value, options)}\n`);
    });
}
