/** `critic notices`: what people were told, what waits in the outbox, and whether a channel works. */
import * as z from 'zod';
import { cut } from '../../domain/errors.ts';
import type { Inquiries, KeptNotice } from '../../domain/inquiries.ts';
import { noticeKinds } from '../../domain/notices/notice.ts';
import { plainText } from '../../domain/notices/notice-text.ts';
import { wholeNumberFrom } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { inquire } from '../inquire.ts';
import { usualColumns } from '../views/table.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';

const delivery = z.object({
  state: z.enum(['pending', 'sending', 'sent', 'given-up']),
  tries: z.number(),
  next: z.string().optional(),
  sent: z.string().optional(),
  error: z.string().optional(),
});
const deliveries = z.record(z.string(), delivery);
const kept = z.object({ id: z.string(), kind: z.enum(noticeKinds), at: z.string(), title: z.string(), deliveries });
const list = z.object({ notices: z.array(kept), unreadable: z.array(z.string()) });
const one = z.object({
  notice: z
    .object({
      id: z.string(),
      kind: z.enum(noticeKinds),
      at: z.string(),
      run: z.string().exactOptional(),
      night: z.string().exactOptional(),
      title: z.string(),
      text: z.string(),
      commands: z.array(z.string()),
      to: z.array(z.string()).exactOptional(),
    })
    .nullable(),
  deliveries,
});
const retried = z.object({ channels: z.array(z.string()) });
const tested = z.object({ id: z.string(), delivery: delivery.nullable() });

export const noticesView: View<Inquiries['notices']['reply']> = { schema: list, lines: tableOf };
export const noticeView: View<Inquiries['notice']['reply']> = { schema: one, lines: linesOf };
export const retriedView: View<Inquiries['notice-retry']['reply']> = {
  schema: retried,
  lines: ({ channels }) => [
    channels.length === 0
      ? 'nothing to try again: it was delivered, or no channel has taken it up'
      : `tried again: ${channels.join(', ')}`,
  ],
};
export const testedView: View<Inquiries['notice-test']['reply']> = {
  schema: tested,
  lines: ({ id, delivery: how }) => [
    `${id}: ${how?.state ?? 'not taken up: is there such a channel in the file of the worker?'}${how?.error === undefined ? '' : ` (${how.error})`}`,
  ],
};

function unknownNotice(id: string): CliError {
  return new CliError(`notice "${id.slice(0, 200)}": expected an id as "critic notices ls" prints it`);
}

/** A line of each notice: when, how far, what. Below it its id, whole. */
function tableOf(
  { notices: all, unreadable }: Inquiries['notices']['reply'],
  columns: number = usualColumns,
): string[] {
  const damaged = unreadable.map((id) => `damaged, and held up until its files are mended or removed: ${id}`);
  if (all.length === 0) return ['no notices', ...damaged];
  const lines = all.flatMap((notice) => [
    cut(`${notice.at.slice(5, 16).replace('T', ' ')} ${stateOf(notice).padEnd(9)} ${notice.title}`, columns),
    `            ${notice.id}`,
  ]);
  const isKept = all.some((notice) => stateOf(notice) === 'kept');
  return [
    ...lines,
    ...damaged,
    ...(isKept ? ['kept: no channel has taken it up; "critic doctor --no-job" says which there are'] : []),
  ];
}

/** The worst state of all channels. `kept`: no channel has taken it up: there is none for it, or it was told just now. */
function stateOf({ deliveries: all }: Pick<KeptNotice, 'deliveries'>): string {
  const states = Object.values(all).map(({ state }) => state);
  return (['given-up', 'sending', 'pending', 'sent'] as const).find((state) => states.includes(state)) ?? 'kept';
}

function linesOf({ notice, deliveries: all }: Inquiries['notice']['reply']): string[] {
  if (notice === null) return ['no such notice'];
  const ways = Object.entries(all).map(([channel, { state, tries, next, error }]) => {
    const more = [
      ...(state === 'pending' && next !== undefined ? [`next try ${next}`] : []),
      ...(error === undefined ? [] : [error]),
    ];
    return `  ${channel}: ${state}, tries ${tries}${more.length === 0 ? '' : `; ${more.join('; ')}`}`;
  });
  return [
    ...plainText(notice).split('\n'),
    '',
    ...(ways.length === 0 ? ['  no channel has taken it up; "critic doctor --no-job" says which there are'] : ways),
  ];
}

export const registerNotices: Register = (program, shell) => {
  const command = program
    .command('notices')
    .description('what people were told, and what waits to be delivered')
    .addHelpText('after', '\nExample: critic notices ls --open');
  command
    .command('ls')
    .option('--open', 'only those that are not delivered everywhere, or go nowhere')
    .option('--limit <n>', 'at most so many, up to 100', wholeNumberFrom(1), 20)
    .option('--json', 'print them as JSON')
    .description('list notices, newest first')
    .action(async (options: ViewOptions & { open?: true; limit: number }) => {
      const input = { open: options.open === true, limit: options.limit };
      const value = await withClient(shell, (client) => inquire(client, 'notices', input, list));
      shell.stdout.write(`${textOf(noticesView, value, options, shell.stdout)}\n`);
    });
  command
    .command('show')
    .argument('<id>', 'id of the notice')
    .option('--json', 'print it as JSON')
    .description('one notice, and how far its delivery is')
    .action(async (id: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => inquire(client, 'notice', { id }, one));
      if (value.notice === null) throw unknownNotice(id);
      shell.stdout.write(`${textOf(noticeView, value, options)}\n`);
    });
  command
    .command('retry')
    .argument('<id>', 'id of the notice')
    .option('--json', 'print the channels as JSON')
    .description('try again at once what was given up or waits for its next try')
    .action(async (id: string, options: ViewOptions) => {
      const value = await withClient(shell, async (client) => {
        if ((await inquire(client, 'notice', { id }, one)).notice === null) throw unknownNotice(id);
        return inquire(client, 'notice-retry', { id }, retried);
      });
      shell.stdout.write(`${textOf(retriedView, value, options)}\n`);
    });
  command
    .command('test')
    .argument('<channel>', 'name of a channel, as the channels file has it')
    .option('--json', 'print the delivery as JSON')
    .description('send a test by a channel and say what became of it')
    .action(async (channel: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => inquire(client, 'notice-test', { channel }, tested));
      shell.stdout.write(`${textOf(testedView, value, options)}\n`);
      if (value.delivery?.state !== 'sent') throw new CliError(`channel ${channel}: the test was not delivered`);
    });
};
