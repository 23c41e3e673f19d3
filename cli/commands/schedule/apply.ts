/** `critic schedule apply`: shows how the files of nights differ from the schedules that stand, and makes these so. */
import { type Client, ScheduleAlreadyRunning } from '@temporalio/client';
import type { Command } from 'commander';
import * as z from 'zod';
import { shown } from '../../../domain/errors.ts';
import type { Night } from '../../../domain/nights/night.ts';
import { readNight } from '../../../input/night-file.ts';
import { aPath } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { requireServed } from '../../cluster.ts';
import { type Shell, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { checkNights } from './check.ts';
import { editsOf, isKept, keepApplied } from './edits.ts';
import { clusterOfStanding, scheduleOf, type Standing, standing, standingNights } from './schedules.ts';

const change = z.object({
  night: z.string(),
  action: z.enum(['create', 'update', 'keep', 'delete']),
  /** Fields that differ, as the file has them (null: it has none), and parts of the schedule that somebody has edited beside the file. */
  fields: z.array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() })),
  paused: z.boolean(),
  /** False with `--dry-run`. */
  done: z.boolean(),
});
export type NightChange = z.output<typeof change>;
export const changesView: View<NightChange[]> = { schema: z.array(change), lines: linesOf };

export interface ApplyInput {
  nights: readonly Night[];
  /** Delete the schedules that no file names, of the clusters that the nights name. */
  prune: boolean;
  dryRun: boolean;
}

/** One change after the other, in the files' order. A schedule's paused state and note are kept. */
export async function apply(client: Client, { nights, prune, dryRun }: ApplyInput): Promise<NightChange[]> {
  const twice = nights.find(({ name }, index) => nights.findIndex((one) => one.name === name) < index);
  if (twice !== undefined)
    throw new CliError(`night "${twice.name}": expected each name once, got it in several files`);
  const before = new Map((await standingNights(client)).map((one) => [one.name, one]));
  const changes: NightChange[] = [];
  for (const night of nights) {
    // The list may be seconds behind, e.g. after an apply that was killed.
    const stands = before.get(night.name) ?? (await standing(client, night.name));
    changes.push(await applyOne(client, night, stands, dryRun));
  }
  for (const stands of prune ? before.values() : []) {
    if (nights.some(({ name }) => name === stands.name)) continue;
    // Files of one cluster say nothing of the nights of another.
    if (!nights.some(({ cluster }) => cluster === clusterOfStanding(stands))) continue;
    if (!dryRun) await stands.handle.delete();
    changes.push({ night: stands.name, action: 'delete', fields: [], paused: isPaused(stands), done: !dryRun });
  }
  return changes;
}

async function applyOne(
  client: Client,
  night: Night,
  stands: Standing | undefined,
  dryRun: boolean,
): Promise<NightChange> {
  const fields = [...differences(stands?.night, night), ...(stands === undefined ? [] : editsOf(stands))];
  const action = stands === undefined ? 'create' : fields.length === 0 ? 'keep' : 'update';
  try {
    if (!dryRun) await make(client, night, stands, action);
  } catch (error) {
    // Another apply has made it meanwhile.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    return applyOne(client, night, await standing(client, night.name), dryRun);
  }
  return { night: night.name, action, fields, paused: isPaused(stands), done: !dryRun };
}

const isPaused = (stands: Standing | undefined) => stands?.described.state.paused ?? false;

async function make(client: Client, night: Night, stands: Standing | undefined, action: NightChange['action']) {
  const wanted = scheduleOf(night);
  try {
    if (action === 'create') await keepApplied({ handle: await client.schedule.create(wanted) });
    if (action === 'keep' && stands !== undefined && !isKept(stands)) await keepApplied(stands);
    if (action === 'update') {
      const { spec, action: starts, policies } = wanted;
      await stands?.handle.update(({ state }) => ({ spec, action: starts, policies: policies ?? {}, state }));
      if (stands !== undefined) await keepApplied(stands);
    }
  } catch (error) {
    // So the SDK says what Temporal refuses of a schedule's times, e.g. a minute of 99.
    if (error instanceof TypeError)
      throw new CliError(`night "${night.name}": Temporal refused its schedule: ${error.message}`);
    throw error;
  }
}

function differences(before: Night | undefined, after: Night): NightChange['fields'] {
  const old = new Map<string, unknown>(Object.entries(before ?? {}));
  const wanted = new Map<string, unknown>(Object.entries(after));
  const names = [...new Set([...wanted.keys(), ...old.keys()])].filter((name) => name !== 'schema' && name !== 'name');
  return names
    .filter((field) => JSON.stringify(old.get(field)) !== JSON.stringify(wanted.get(field)))
    .map((field) => ({ field, before: old.get(field) ?? null, after: wanted.get(field) ?? null }));
}

const signs = { create: '+', update: '~', keep: '=', delete: '-' } as const;
const done = { create: 'created', update: 'updated', keep: 'kept as it is', delete: 'deleted' } as const;

function linesOf(changes: readonly NightChange[]): string[] {
  const dry = changes.length > 0 && changes.every((one) => !one.done);
  const lines = changes.flatMap(({ night, action, fields, paused, done: isDone }) => [
    `${signs[action]} ${night}: ${isDone ? '' : 'would be '}${done[action]}${paused ? ' (paused, and stays so)' : ''}`,
    ...(action === 'delete'
      ? []
      : fields.map(({ field, before, after }) => `    ${field}: ${fieldChange(action, before, after)}`)),
  ]);
  return [...lines, ...(dry ? ['Nothing was changed: this was a dry run.'] : [])];
}

function fieldChange(action: NightChange['action'], before: unknown, after: unknown): string {
  return action === 'create' ? shown(after) : `${shown(before)} -> ${shown(after)}`;
}

interface ApplyOptions extends ViewOptions {
  prune?: true;
  dryRun?: true;
  unchecked?: true;
}

export function registerApply(schedule: Command, shell: Shell): void {
  schedule
    .command('apply')
    .argument('<files...>', 'files of nights (YAML)')
    .option('--prune', 'delete the schedules of nights that none of the files names, on the same clusters')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--unchecked', 'even if the worker finds no such recipe, dataset or channel')
    .option('--json', 'print the changes as JSON')
    .description('make the schedules as the files say; what is paused stays paused')
    .addHelpText('after', '\nExample: critic schedule apply nights/*.yaml --dry-run')
    .action(async (files: string[], options: ApplyOptions) => {
      const nights: Night[] = [];
      for (const file of files) nights.push(await readNight(aPath(file)));
      const input = { nights, prune: options.prune === true, dryRun: options.dryRun === true };
      const value = await withClient(shell, async (client) => {
        for (const { name, cluster } of nights) await requireServed(client, cluster, `night "${name}": cluster`);
        if (options.unchecked !== true) {
          await checkNights(client, nights, (sentence) => void shell.stderr.write(`${sentence}\n`));
        }
        return apply(client, input);
      });
      shell.stdout.write(`${textOf(changesView, value, options)}\n`);
    });
}
