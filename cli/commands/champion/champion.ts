/** `critic champion`: which critic is champion, since when and why, and how a person makes another one champion. Nothing is ever removed. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import * as z from 'zod';
import type { ChampionSummary, Inquiries, PromotedCritic } from '../../../domain/inquiries.ts';
import { aName, aReason, aRecipe, aRun, wholeNumber, wholeNumberFrom } from '../../arguments.ts';
import { CliError, exitCodes } from '../../cli-error.ts';
import { inquire } from '../../inquire.ts';
import { artifactKeys, requireRun } from '../../run-artifacts.ts';
import { type Register, type Shell, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';
import { championHistory, championLines, championTable } from '../../views/champion-view.ts';
import { ownerOf } from '../run.ts';

const champion = z.object({
  name: z.string(),
  version: z.number(),
  run: z.string(),
  mainScore: z.number().nullable(),
  key: z.string(),
  path: z.string(),
  decidedAt: z.string(),
  reference: z.number(),
  by: z.string().nullable(),
  reasons: z.array(z.string()),
});
const list = z.array(champion);
export const championsReply = z.object({ champions: list });
const promoted = z.object({ outcome: z.enum(['promoted', 'changed']), champion: champion.nullable() });

export const championsView: View<ChampionSummary[]> = { schema: list, lines: championTable };
export const championView: View<ChampionSummary> = { schema: champion, lines: championLines };
const historyView: View<ChampionSummary[]> = { schema: list, lines: championHistory };
export const promotedView: View<Inquiries['champion-promote']['reply']> = {
  schema: promoted,
  lines: ({ outcome, champion: now }) =>
    outcome === 'promoted' && now !== null
      ? [`champion ${now.name} is version ${now.version} now: run ${now.run}`]
      : [
          `nothing was done: ${now === null ? 'another one' : `version ${now.version}, run ${now.run},`} became champion meanwhile`,
        ],
};

/** The newest version of this champion. Throws a CliError if there is none of the name. */
async function current(client: Client, name: string): Promise<ChampionSummary> {
  const [newest] = (await inquire(client, 'champions', { name }, championsReply)).champions;
  if (newest !== undefined) return newest;
  const { champions: all } = await inquire(client, 'champions', { name: null }, championsReply);
  const names = all.map((one) => one.name).join(', ');
  throw new CliError(`champion "${name}": expected ${names === '' ? 'one, but there is none yet' : `one of ${names}`}`);
}

export interface PromoteInput {
  name: string;
  what: PromotedCritic;
  by: string;
  reason: string;
  /** The version that is to be followed. Undefined: the newest as it is now. */
  expect?: number;
}

/** Makes a critic champion, unless another one became it meanwhile. */
export async function promoteByHand(
  client: Client,
  input: PromoteInput,
): Promise<Inquiries['champion-promote']['reply']> {
  const { name, what, by, reason, expect } = input;
  const run = 'critic' in what ? what.critic.run : undefined;
  const expected =
    expect ?? (await inquire(client, 'champions', { name }, championsReply, run)).champions[0]?.version ?? 0;
  const asked = { name, what, expected, by, reason, request: randomUUID() };
  return inquire(client, 'champion-promote', asked, promoted, run);
}

/** The artifacts of a run's critic. Throws a CliError where it has none, nobody knows the run, or no worker answers. */
async function criticOf(client: Client, run: string): Promise<PromotedCritic> {
  const keys = await artifactKeys(client, run);
  const [grpo, evaluation, predictions] = [keys['grpo'], keys['evaluation'], keys['predict-grpo']];
  if (grpo !== undefined && evaluation !== undefined && predictions !== undefined) {
    return { critic: { run, grpo, evaluation, predictions } };
  }
  await requireRun(client, run);
  throw new CliError(
    `run ${run}: expected one whose critic is trained and measured, got one without; "critic status ${run}" says what it has`,
  );
}

interface PromoteOptions extends ViewOptions {
  reason: string;
  by?: string;
  expect?: number;
}

export const registerChampion: Register = (program, shell) => {
  const command = program
    .command('champion')
    .description('which critic is champion, and to make another one champion')
    .addHelpText('after', '\nExample: critic champion show demo');
  command
    .command('show')
    .argument('[name]', 'name of the champion, as "gate.champion" of its recipe (default: all)', aRecipe)
    .option('--json', 'print it as JSON; without a name a list')
    .description('the champion of a name, or all')
    .addHelpText('after', '\nExample: critic champion show demo')
    .action(async (name: string | undefined, options: ViewOptions) => {
      const text = await withClient(shell, async (client) => {
        if (name !== undefined) return textOf(championView, await current(client, name), options);
        return textOf(
          championsView,
          (await inquire(client, 'champions', { name: null }, championsReply)).champions,
          options,
          shell.stdout,
        );
      });
      shell.stdout.write(`${text}\n`);
    });
  command
    .command('history')
    .argument('<name>', 'name of the champion', aRecipe)
    .option('--json', 'print its versions as JSON')
    .description('all versions of a champion, newest first; at most 50')
    .addHelpText('after', '\nExample: critic champion history demo')
    .action(async (name: string, options: ViewOptions) => {
      const value = await withClient(shell, async (client) => {
        await current(client, name); // a name that there is not is told
        return (await inquire(client, 'champions', { name }, championsReply)).champions;
      });
      shell.stdout.write(`${textOf(historyView, value, options, shell.stdout)}\n`);
    });
  addPromotions(command, shell);
};

function addPromotions(command: Command, shell: Shell): void {
  withWhy(command.command('promote'))
    .argument('<name>', 'name of the champion', aRecipe)
    .argument('<run>', 'the run whose critic becomes champion, whatever the gate said', aRun)
    .description('make the critic of a run champion')
    .addHelpText('after', '\nExample: critic champion promote demo demo-20261128-190000 --reason "looked at by hand"')
    .action((name: string, run: string, options: PromoteOptions) =>
      withClient(shell, async (client) => decide(shell, client, name, await criticOf(client, run), options)),
    );
  withWhy(command.command('rollback'))
    .argument('<name>', 'name of the champion', aRecipe)
    .requiredOption('--to <version>', 'the version that becomes champion again', wholeNumberFrom(1))
    .description('make an earlier version champion again, as a new version')
    .addHelpText('after', '\nExample: critic champion rollback demo --to 3 --reason "4 fails on portraits"')
    .action((name: string, options: PromoteOptions & { to: number }) =>
      withClient(shell, (client) => decide(shell, client, name, { version: options.to }, options)),
    );
}

function withWhy(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why', aReason)
    .option('--by <name>', 'who decides (default: you)', aName)
    .option('--expect <version>', 'only if this is still the newest version (0: there is none)', wholeNumber)
    .option('--json', 'print what became of it as JSON');
}

async function decide(
  shell: Shell,
  client: Client,
  name: string,
  what: PromotedCritic,
  options: PromoteOptions,
): Promise<void> {
  const { owner: by } = ownerOf(shell, options.by);
  if (by === undefined) throw new CliError('--by: expected a name, got none, and this machine has none for you');
  const { reason, expect } = options;
  const value = await promoteByHand(client, { name, what, by, reason, ...(expect === undefined ? {} : { expect }) });
  if (value.outcome === 'promoted' && value.champion?.mainScore === null) {
    shell.stderr.write(
      'warning: the MainScore of this critic could not be computed: the gate passes no later one while it is champion, since no difference from it is known\n',
    );
  }
  shell.stdout.write(`${textOf(promotedView, value, options)}\n`);
  if (value.outcome === 'changed') shell.exitWith(exitCodes.failed);
}
