/** `critic schedule trigger | pause | unpause | backfill | delete`. */
import type { Client } from '@temporalio/client';
import { type Command, InvalidArgumentError } from 'commander';
import * as z from 'zod';
import { shown } from '../../../domain/errors.ts';
import { aNight } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { type Shell, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { requireStanding } from './schedules.ts';

const changed = z.object({
  night: z.string(),
  status: z.enum(['triggered', 'paused', 'unpaused', 'backfilling', 'deleted']),
  /** The schedule begins no nights by itself: it is paused. Only of what begins nights by hand. */
  paused: z.boolean().exactOptional(),
  /** Of a backfill: when the nights were due, ISO, UTC. */
  nights: z.array(z.string()).exactOptional(),
});
type Changed = z.output<typeof changed>;
export const changedView: View<Changed> = {
  schema: changed,
  lines: ({ night, status, paused, nights = [] }) => [
    status === 'backfilling' ? backfilled(night, nights) : `${night} is ${status}`,
    ...nights.slice(0, mostShown).map((at) => `  ${at.slice(0, 16).replace('T', ' ')} UTC`),
    ...(nights.length > mostShown
      ? [`  and ${nights.length - mostShown} more, the last ${nights.at(-1)?.slice(0, 10)}`]
      : []),
    ...(paused === true ? ['Its schedule is paused, and stays so: no other night begins until it is unpaused.'] : []),
  ],
};

/** Nights of a backfill that are named, not only counted. */
const mostShown = 10;

function backfilled(night: string, nights: readonly string[]): string {
  const many = `${nights.length} ${nights.length === 1 ? 'night' : 'nights'}`;
  return nights.length === 0 ? `${night} had no night in that time` : `${night} lives ${many}, one after another:`;
}

/** Temporal keeps at most 1,000 nights that wait for their turn. */
const maxDays = 366;

export async function trigger(client: Client, night: string): Promise<Changed> {
  const { handle, described } = await requireStanding(client, night);
  // The night itself looks whether another one goes on.
  await handle.trigger('ALLOW_ALL');
  return { night, status: 'triggered', paused: described.state.paused };
}

export async function pause(client: Client, night: string, note?: string): Promise<Changed> {
  const { handle } = await requireStanding(client, night);
  await handle.pause(note);
  return { night, status: 'paused' };
}

export async function unpause(client: Client, night: string, note?: string): Promise<Changed> {
  const { handle } = await requireStanding(client, night);
  await handle.unpause(note);
  return { night, status: 'unpaused' };
}

/** The nights that were due in [from, to], one after another, beside those that are due now. */
export async function backfill(
  client: Client,
  night: string,
  { from, to }: { from: Date; to: Date },
): Promise<Changed> {
  if (to <= from) throw new CliError(`--to: expected a time after ${from.toISOString()}, got ${to.toISOString()}`);
  if (to.getTime() - from.getTime() > maxDays * 86_400_000)
    throw new CliError(`--from, --to: expected at most ${maxDays} days, got more; take them in parts`);
  if (to > new Date()) throw new CliError(`--to: expected a time that is over, got ${to.toISOString()}`);
  const { handle, described } = await requireStanding(client, night);
  const nights = await dueIn(client, handle.scheduleId, from, to);
  if (nights.length > 0) await handle.backfill({ start: from, end: to, overlap: 'BUFFER_ALL' });
  return { night, status: 'backfilling', paused: described.state.paused, nights };
}

/** When the schedule's nights were due in [from, to], as Temporal counts them. */
async function dueIn(client: Client, scheduleId: string, from: Date, to: Date): Promise<string[]> {
  const { startTime } = await client.workflowService.listScheduleMatchingTimes({
    namespace: client.options.namespace,
    scheduleId,
    // It lists what comes after the start; a backfill takes the start too.
    startTime: timestamp(from.getTime() - 1),
    endTime: timestamp(to.getTime()),
  });
  return (startTime ?? []).map(({ seconds }) => new Date(Number(seconds ?? 0) * 1000).toISOString());
}

/** `ms`: since 1970, as the wire has it. */
function timestamp(ms: number) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its type is a Long; the writer takes a number too
  return { seconds: Math.floor(ms / 1000) as never, nanos: (ms % 1000) * 1_000_000 };
}

export async function remove(client: Client, night: string): Promise<Changed> {
  const { handle } = await requireStanding(client, night);
  await handle.delete();
  return { night, status: 'deleted' };
}

/** `2026-11-01` or `2026-11-01T01:00Z`, UTC. */
function aMoment(text: string): Date {
  const at = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z)?$/.test(text) ? new Date(text) : undefined;
  if (at === undefined || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError(`expected a time such as 2026-11-01 or 2026-11-01T01:00Z, got ${shown(text)}`);
  return at;
}

export function registerChange(schedule: Command, shell: Shell): void {
  /** A verb of one night. Its example is `critic schedule` and `example`. */
  const verb = (name: string, description: string, example = `${name} nightly`) =>
    schedule
      .command(name)
      .argument('<night>', 'its name', aNight)
      .option('--json', 'print what was done as JSON')
      .description(description)
      .addHelpText('after', `\nExample: critic schedule ${example}`);
  const run = async (options: ViewOptions, work: (client: Client) => Promise<Changed>) => {
    const value = await withClient(shell, work);
    shell.stdout.write(`${textOf(changedView, value, options)}\n`);
  };
  verb('trigger', 'begin a night now').action((night: string, options: ViewOptions) =>
    run(options, (client) => trigger(client, night)),
  );
  verb('pause', 'begin no nights until it is unpaused', 'pause nightly --note "the cluster moves"')
    .option('--note <text>', 'why, for people')
    .action((night: string, options: ViewOptions & { note?: string }) =>
      run(options, (client) => pause(client, night, options.note)),
    );
  verb('unpause', 'begin nights again')
    .option('--note <text>', 'why, for people')
    .action((night: string, options: ViewOptions & { note?: string }) =>
      run(options, (client) => unpause(client, night, options.note)),
    );
  verb('backfill', 'live nights that are over, one after another', 'backfill nightly --from 2026-11-01 --to 2026-11-08')
    .requiredOption('--from <time>', 'UTC; a day without a time is its midnight', aMoment)
    .requiredOption('--to <time>', 'UTC; a day is its midnight too, so its own night is not lived', aMoment)
    .action((night: string, options: ViewOptions & { from: Date; to: Date }) =>
      run(options, (client) => backfill(client, night, options)),
    );
  verb('delete', 'remove the schedule; its runs stay').action((night: string, options: ViewOptions) =>
    run(options, (client) => remove(client, night)),
  );
}
