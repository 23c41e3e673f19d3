/** `critic rerun`: starts a run with the plan of another one that makes a stage anew, and all that is made from it. What was made before is kept. */
import type { Client } from '@temporalio/client';
import { anewFault } from '../../domain/anew.ts';
import type { Stage } from '../../domain/names.ts';
import { stageNames } from '../../domain/stage-graph.ts';
import { aName, aRun, aStage } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { findRun, UnknownRun } from '../run-handle.ts';
import { type Register, withClient } from '../shell.ts';
import { planOf } from './resume.ts';
import { ownerOf, startRun, withRunOptions } from './run.ts';
import { follow, type FollowOptions } from './watch.ts';

export interface RerunInput {
  run: string;
  from: Stage;
  owner?: string;
}

/** Starts the run and returns its id. Throws a CliError for a run that goes on or has no plan, and for a stage that cannot be made anew. */
export async function rerun(client: Client, { run, from, owner }: RerunInput): Promise<string> {
  const fault = anewFault(from);
  if (fault !== undefined)
    throw new CliError(`--from: expected a stage that can be made anew, got "${from}": ${fault}`);
  await requireOver(client, run);
  const { recipe } = await planOf(client, run);
  const stages = stageNames(recipe);
  if (!stages.includes(from)) throw new CliError(`--from: expected one of ${stages.join(', ')}, got "${from}"`);
  return startRun(client, {
    recipe,
    anewFrom: from,
    ...(owner === undefined ? {} : { owner }),
  });
}

/** A run that Temporal has forgotten is over. */
async function requireOver(client: Client, run: string): Promise<void> {
  try {
    const { isOpen } = await findRun(client, run);
    if (isOpen)
      throw new CliError(
        `run ${run}: expected one that has ended, got one that goes on: "critic retry" is for its jobs`,
      );
  } catch (error) {
    if (!(error instanceof UnknownRun)) throw error;
  }
}

interface RerunOptions extends FollowOptions {
  from: Stage;
  owner?: string;
}

export const registerRerun: Register = (program, shell) => {
  withRunOptions(program.command('rerun'))
    .argument('<run>', 'a run that has ended', aRun)
    .requiredOption('--from <stage>', 'the first stage that is made anew', aStage)
    .option('--owner <name>', 'whose run it is (default: you)', aName)
    .description('start a run that makes a stage of another one anew, and what follows it, and watch it')
    .action((run: string, options: RerunOptions) =>
      withClient(shell, async (client, { ui }) => {
        const input = { run, from: options.from, ...ownerOf(shell, options.owner) };
        await follow(shell, client, await rerun(client, input), options, ui);
      }),
    );
};
