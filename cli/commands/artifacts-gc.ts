/** `critic artifacts gc`: what of the store nobody needs, with its size. With `--apply` it is removed. */
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import * as z from 'zod';
import { amountOfBytes } from '../../domain/estimate/checkpoint-size.ts';
import { type GcReport, type GcRequest, goingKinds, usualResumableDays } from '../../domain/keeping/retention.ts';
import { positiveNumber, wholeNumber } from '../arguments.ts';
import { inquire } from '../inquire.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';

const sum = z.object({ items: z.number(), bytes: z.number() });
/** A worker of an older release does not know the kind. */
const none = { items: 0, bytes: 0 };
const report = z.object({
  applied: z.boolean(),
  items: z.array(z.object({ kind: z.enum(goingKinds), path: z.string(), bytes: z.number(), usedAt: z.string() })),
  total: z.object({ leftover: sum, scratch: sum, checkpoint: sum, scoring: sum.default(none), artifact: sum }),
  kept: z.array(z.string()),
  unsettled: z.number(),
  faults: z.array(z.string()),
  free: z.object({ before: z.number(), after: z.number(), wanted: z.number().nullable() }),
  needed: z.object({ since: z.string(), run: z.string().nullable(), why: z.string().nullable() }),
});
export const gcView: View<GcReport> = { schema: report, lines: linesOf };

export async function gc(client: Client, request: GcRequest): Promise<GcReport> {
  return inquire(client, 'gc', request, report);
}

/** Items shown to people; `--json` has up to 200. */
const shownItems = 20;

function linesOf({ applied, items, total, kept, unsettled, faults, free, needed }: GcReport): string[] {
  const all = Object.values(total).reduce((a, b) => ({ items: a.items + b.items, bytes: a.bytes + b.bytes }));
  const rest = all.items - Math.min(shownItems, items.length);
  const size = (bytes: number) => amountOfBytes(bytes).padStart(9);
  return [
    ...items
      .slice(0, shownItems)
      .map(({ kind, path, bytes, usedAt }) => `${size(bytes)}  ${usedAt.slice(0, 10)}  ${kind.padEnd(10)}  ${path}`),
    ...(rest > 0 ? [`          and ${rest} more (--json)`] : []),
    ...(all.items === 0 ? ['nothing to remove'] : []),
    ...goingKinds
      .filter((kind) => total[kind].items > 0)
      .map((kind) => `${size(total[kind].bytes)}  in ${total[kind].items} of kind ${kind}`),
    ...(kept.length > 0 ? [`stays, since it was used meanwhile: ${kept.join(', ')}`] : []),
    ...(unsettled > 0
      ? [`in the trash: ${unsettled}; a gc is at work, or was killed: the next one after ten minutes settles them`]
      : []),
    ...faults.map((fault) => `not removed: ${fault}`),
    `free: ${amountOfBytes(free.before)}${applied ? `, now ${amountOfBytes(free.after)}` : ''}${free.wanted === null ? '' : `, wanted ${amountOfBytes(free.wanted)}`}`,
    `needed: what was used since ${needed.since.slice(0, 16).replace('T', ' ')} UTC${needed.run === null ? '' : ` (run ${needed.run} ${needed.why ?? ''})`}`,
    ...(applied || all.items === 0 ? [] : ['Nothing was removed: add --apply.']),
  ];
}

interface GcOptions extends ViewOptions {
  apply?: true;
  free?: number;
  resumableDays: number;
  scoringDays?: number;
}

const gib = 1024 ** 3;

export const registerArtifactsGc: Register = (program, shell) => {
  artifactsOf(program)
    .command('gc')
    .option('--free <GiB>', 'remove artifacts too, the longest unused first, until so much is free', positiveNumber)
    .option('--resumable-days <n>', 'a run without a verdict may be resumed so long', wholeNumber, usualResumableDays)
    .option('--scoring-days <n>', 'remove scores and evaluations too that were written so long ago', wholeNumber)
    .option('--apply', 'remove it; without this it is only listed')
    .option('--json', 'print it as JSON')
    .description('list what of the store nobody needs, or remove it')
    .addHelpText('after', '\nExample: critic artifacts gc --free 500 --apply')
    .action(async ({ apply, free, resumableDays, scoringDays, json }: GcOptions) => {
      const request = {
        apply: apply === true,
        freeBytes: free === undefined ? null : free * gib,
        resumableDays,
        ...(scoringDays === undefined ? {} : { scoringDays }),
      };
      const value = await withClient(shell, (client) => gc(client, request));
      shell.stdout.write(`${textOf(gcView, value, json === true ? { json } : {})}\n`);
    });
};

/** The command `artifacts`, whoever was first to add to it. */
function artifactsOf(program: Command): Command {
  return (
    program.commands.find((one) => one.name() === 'artifacts') ??
    program.command('artifacts').description('look after the store’s artifacts')
  );
}
