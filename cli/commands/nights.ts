/** `critic nights`: what became of all nights, and their page written anew. */
import * as z from 'zod';
import type { Inquiries, NightSummary } from '../../domain/inquiries.ts';
import { nightVerdicts } from '../../domain/nights/night.ts';
import { wholeNumberFrom } from '../arguments.ts';
import { inquire } from '../inquire.ts';
import { fittedTable } from '../views/table.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';

const night = z.object({
  night: z.string(),
  at: z.string(),
  verdict: z.enum([...nightVerdicts, 'under-way']),
  why: z.string(),
  run: z.string().nullable(),
  nothingNew: z.boolean(),
  score: z.number().nullable(),
  interval: z.tuple([z.number(), z.number()]).nullable(),
  change: z.number().nullable(),
  usd: z.number().nullable(),
  gpuHours: z.number().nullable(),
  gpuHoursWasted: z.number().nullable(),
});
const reply = z.object({
  page: z.string(),
  url: z.string().nullable(),
  nights: z.array(night),
  unreadable: z.array(z.string()),
});
type Reply = Inquiries['nights']['reply'];

export const nightsView: View<Reply> = { schema: reply, lines: linesOf };

/** A table, the reason of a night without a run below it, and where the page is. */
function linesOf({ nights, page, url, unreadable }: Reply, columns?: number): string[] {
  if (nights.length === 0) return ['no nights yet', `page: ${url ?? page}`];
  const header = ['NIGHT (UTC)', '', 'VERDICT', 'SCORE', 'CHANGE', 'USD', 'GPU-H'];
  const table = fittedTable([header, ...nights.map(cellsOf)], [1], columns);
  return [
    ...table,
    ...nights
      .filter(({ run, why }) => run === null && why !== '')
      .map((one) => `${timeOf(one)} ${one.night}: ${one.why}`),
    ...unreadable.map((one) => `not read: ${one}`),
    `page: ${url ?? page}`,
  ];
}

function cellsOf(one: NightSummary): string[] {
  const number = (value: number | null, digits: number) => (value === null ? '–' : value.toFixed(digits));
  const sign = one.change !== null && one.change >= 0 ? '+' : '';
  return [
    timeOf(one),
    one.night,
    one.nothingNew ? 'nothing new' : one.verdict,
    number(one.score, 3),
    `${sign}${number(one.change, 3)}`,
    number(one.usd, 2),
    number(one.gpuHours, 3),
  ];
}

function timeOf({ at }: NightSummary): string {
  return at.slice(0, 16).replace('T', ' ');
}

export const registerNights: Register = (program, shell) => {
  program
    .command('nights')
    .option('--limit <n>', 'at most so many, up to 100', wholeNumberFrom(1), 30)
    .option('--json', 'print them as JSON')
    .description('what became of all nights, newest first; writes nights.html anew')
    .addHelpText('after', '\nExample: critic nights --limit 7')
    .action(async ({ limit, ...options }: ViewOptions & { limit: number }) => {
      const value = await withClient(shell, (client) => inquire(client, 'nights', { limit }, reply));
      shell.stdout.write(`${textOf(nightsView, value, options, shell.stdout)}\n`);
    });
};
