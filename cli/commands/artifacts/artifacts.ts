/** `critic artifacts`: what the store keeps, one artifact with what made it, whether its files are whole, and what a person wants kept. */
import type { Command } from 'commander';
import * as z from 'zod';
import type { Inquiries } from '../../../domain/inquiries.ts';
import { stageSchema } from '../../../domain/manifest.ts';
import type { Stage } from '../../../domain/names.ts';
import { aKey, aName, aReason, aRun, aStage, wholeNumberFrom } from '../../arguments.ts';
import { CliError, exitCodes } from '../../cli-error.ts';
import { inquire } from '../../inquire.ts';
import { plainLog, sizeText } from '../../views/log-text.ts';
import { fittedTable } from '../../views/table.ts';
import { type Register, type Shell, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { ownerOf } from '../run.ts';

const summary = z.object({
  stage: stageSchema,
  key: z.string(),
  run: z.string(),
  madeAt: z.string(),
  files: z.number(),
  bytes: z.number(),
  isPinned: z.boolean(),
});
const pin = z.object({ stage: stageSchema, key: z.string(), by: z.string(), reason: z.string(), at: z.string() });
export const artifactsReply = z.object({ artifacts: z.array(summary), count: z.number(), bytes: z.number() });
const details = z.object({
  ...summary.shape,
  path: z.string(),
  attempts: z.array(z.string()),
  counts: z.record(z.string(), z.number()),
  cost: z.record(z.string(), z.number().optional()),
  ingredients: z.record(z.string(), z.unknown()).nullable(),
  largest: z.array(z.object({ path: z.string(), bytes: z.number() })),
  pin: pin.nullable(),
});
const verified = z.object({
  stage: stageSchema,
  key: z.string(),
  files: z.number(),
  bytes: z.number(),
  fault: z.string().nullable(),
});

export const artifactsView: View<Inquiries['artifacts']['reply']> = { schema: artifactsReply, lines: tableOf };
export const artifactView: View<z.output<typeof details>> = { schema: details, lines: linesOf };
export const verifiedView: View<z.output<typeof verified>[]> = {
  schema: z.array(verified),
  lines: (all) =>
    all.map(({ stage, key, files, bytes, fault }) =>
      fault === null
        ? `${stage}/${key}: whole, ${counted(files, 'file')}, ${sizeText(bytes)}`
        : `${stage}/${key}: DAMAGED: ${plainLog(fault)}`,
    ),
};
export const pinView: View<z.output<typeof pin>> = {
  schema: pin,
  lines: ({ stage, key, by, reason }) => [`${stage}/${key}: pinned by ${by}: ${reason}`],
};
export const unpinnedView: View<{ key: string }> = {
  schema: z.object({ key: z.string() }),
  lines: ({ key }) => [`${key}: not pinned any more`],
};

const counted = (many: number, what: string) => `${many} ${many === 1 ? what : `${what}s`}`;

/** A key's first 12 digits are enough to name it. */
function tableOf({ artifacts: all, count, bytes }: Inquiries['artifacts']['reply'], columns?: number): string[] {
  if (all.length === 0) return ['no artifacts'];
  const rows = all.map(({ stage, key, run, bytes: size, isPinned }) => [
    `${stage}${isPinned ? ' (pinned)' : ''}`,
    key.slice(0, 12),
    sizeText(size),
    run,
  ]);
  const more = count > all.length ? `; the newest ${all.length} are shown` : '';
  return [
    ...fittedTable([['STAGE', 'KEY', 'SIZE', 'MADE BY'], ...rows], [3, 0], columns),
    `${counted(count, 'artifact')}, ${sizeText(bytes)}${more}`,
  ];
}

function linesOf(one: z.output<typeof details>): string[] {
  const pairs = (values: Record<string, number | undefined>) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  const shown = one.largest.slice(0, 10);
  return [
    `${one.stage}/${one.key}`,
    `  folder   ${one.path}`,
    `  made by  run ${one.run}, ${one.madeAt.slice(0, 16).replace('T', ' ')} UTC`,
    ...one.attempts.map((attempt) => `           ${attempt}`),
    `  holds    ${counted(one.files, 'file')}, ${sizeText(one.bytes)}`,
    ...shown.map(({ path, bytes }) => `           ${sizeText(bytes).padStart(10)}  ${plainLog(path)}`),
    ...(one.files > shown.length ? [`           … ${one.files - shown.length} more`] : []),
    ...(Object.keys(one.counts).length === 0 ? [] : [`  counts   ${pairs(one.counts)}`]),
    ...(Object.keys(one.cost).length === 0 ? [] : [`  cost     ${pairs(one.cost)}`]),
    ...(one.pin === null ? [] : [`  pinned   by ${one.pin.by}, ${one.pin.at.slice(0, 10)}: ${one.pin.reason}`]),
    ...(one.ingredients === null ? [] : ['  its key is the hash of what --json shows under "ingredients"']),
  ];
}

interface ListOptions extends ViewOptions {
  stage?: Stage;
  run?: string;
  limit: number;
}

export const registerArtifacts: Register = (program, shell) => {
  const command = program
    .command('artifacts')
    .description('what the store keeps: list, look, check, pin')
    .addHelpText('after', '\nExample: critic artifacts ls --stage grpo');
  addList(command, shell);
  addShow(command, shell);
  addVerify(command, shell);
  addPins(command, shell);
};

function addList(command: Command, shell: Shell): void {
  command
    .command('ls')
    .option('--stage <stage>', 'only those of this stage', aStage)
    .option('--run <run>', 'only those that this run made', aRun)
    .option('--limit <n>', 'at most so many, up to 200', wholeNumberFrom(1), 50)
    .option('--json', 'print them as JSON')
    .description('list artifacts, newest first')
    .addHelpText('after', '\nExample: critic artifacts ls --stage grpo')
    .action(async (options: ListOptions) => {
      const input = { stage: options.stage ?? null, run: options.run ?? null, limit: options.limit };
      const value = await withClient(shell, (client) => inquire(client, 'artifacts', input, artifactsReply));
      shell.stdout.write(`${textOf(artifactsView, value, options, shell.stdout)}\n`);
    });
}

function addShow(command: Command, shell: Shell): void {
  command
    .command('show')
    .argument('<key>', 'its key, or 6 or more of its first digits', aKey)
    .option('--json', 'print it as JSON, with its ingredients')
    .description('one artifact: files, what made it, what it cost')
    .addHelpText('after', '\nExample: critic artifacts show 29ba4ae6a743')
    .action(async (id: string, options: ViewOptions) => {
      const reply = z.object({ artifact: details });
      const { artifact } = await withClient(shell, (client) => inquire(client, 'artifact', { id }, reply));
      shell.stdout.write(`${textOf(artifactView, artifact, options)}\n`);
    });
}

function addVerify(command: Command, shell: Shell): void {
  command
    .command('verify')
    .argument('<key...>', 'their keys, or 6 or more of the first digits of each', keys)
    .option('--json', 'print what was found as JSON')
    .description('read all files and compare them with the manifest; exit code 1 if one is damaged')
    .addHelpText('after', '\nExample: critic artifacts verify 29ba4ae6a743 2ad0f92f1e97')
    .action(async (ids: string[], options: ViewOptions) => {
      const value = await withClient(shell, async (client) => {
        const found: z.output<typeof verified>[] = [];
        for (const id of ids) found.push(await inquire(client, 'artifact-verify', { id }, verified));
        return found;
      });
      shell.stdout.write(`${textOf(verifiedView, value, options)}\n`);
      if (value.some(({ fault }) => fault !== null)) shell.exitWith(exitCodes.failed);
    });
}

function addPins(command: Command, shell: Shell): void {
  command
    .command('pin')
    .argument('<key>', 'its key, or 6 or more of its first digits', aKey)
    .requiredOption('--reason <text>', 'why it is kept', aReason)
    .option('--by <name>', 'who says so (default: you)', aName)
    .option('--json', 'print the pin as JSON')
    .description('keep an artifact: nothing that cleans up removes it')
    .addHelpText('after', '\nExample: critic artifacts pin 29ba4ae6a743 --reason "baseline of the paper"')
    .action(async (id: string, options: ViewOptions & { by?: string; reason: string }) => {
      const { owner: by } = ownerOf(shell, options.by);
      if (by === undefined) throw new CliError('--by: expected a name, got none, and this machine has none for you');
      const input = { id, by, reason: options.reason };
      const reply = z.object({ pin });
      const value = await withClient(shell, (client) => inquire(client, 'artifact-pin', input, reply));
      shell.stdout.write(`${textOf(pinView, value.pin, options)}\n`);
    });
  command
    .command('unpin')
    .argument('<key>', 'its key, or 6 or more of its first digits', aKey)
    .option('--json', 'print its key as JSON')
    .description('let an artifact go that was pinned')
    .addHelpText('after', '\nExample: critic artifacts unpin 29ba4ae6a743')
    .action(async (id: string, options: ViewOptions) => {
      const reply = z.object({ key: z.string() });
      const value = await withClient(shell, (client) => inquire(client, 'artifact-unpin', { id }, reply));
      shell.stdout.write(`${textOf(unpinnedView, value, options)}\n`);
    });
}

/** Commander hands one argument at a time, with those before it. */
function keys(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), aKey(text)];
}
