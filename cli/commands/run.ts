/** `critic run`: starts a run of a recipe and watches it. */
import { userInfo } from 'node:os';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { queueOf } from '../../domain/clusters.ts';
import type { Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { budgetMemo } from '../../domain/recipe/arms.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { aName, aPath, wholeNumber } from '../arguments.ts';
import { onCluster, requireServed } from '../cluster.ts';
import { readRecipe } from '../../input/recipe-file.ts';
import { runType, withFreeId } from '../run-handle.ts';
import { type Register, type Shell, withClient } from '../shell.ts';
import { follow, type FollowOptions } from './watch.ts';

/** What a run is started with. `anewFrom`: this stage and all that is made from it are made anew, by this run. */
export type WantedRun = Omit<RunPlan, 'schema' | 'run'> & { anewFrom?: Stage };

/** Starts a run and returns its id, which is the workflow's. `now` is when it starts. */
export async function startRun(client: Client, { anewFrom, ...wanted }: WantedRun, now = new Date()) {
  const { recipe, owner, night, resumes } = wanted;
  await requireServed(client, recipe.cluster);
  const goesOn = resumes === undefined ? '' : `, resumes ${resumes}`;
  const handle = await withFreeId(recipe, now, async (plan) =>
    client.workflow.start<typeof trainCritic>(runType, {
      workflowId: plan.run,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      taskQueue: queueOf('workflows', recipe.cluster),
      args: [{ ...wanted, ...(anewFrom === undefined ? {} : { anew: { from: anewFrom, by: plan.run } }), ...plan }],
      staticSummary: `critic from recipe ${recipe.name}, seed ${recipe.seed}${goesOn}${recipe.cluster === undefined ? '' : `, cluster ${recipe.cluster}`}`,
      typedSearchAttributes: undefined,
      memo: memoOf(wanted),
      searchAttributes: {
        CriticRecipe: [recipe.name],
        ...(owner === undefined ? {} : { CriticOwner: [owner] }),
        ...(night === undefined ? {} : { CriticNight: [night.name] }),
      },
    }),
  );
  return handle.workflowId;
}

/** What others may know of a run without asking it: `workers/run-observer.ts` and `resume` read this. */
export function memoOf({ recipe, resumes }: Omit<RunPlan, 'schema' | 'run'>): Record<string, unknown> {
  return { ...budgetMemo(recipe), ...(resumes === undefined ? {} : { resumes }) };
}

/** Whose run it is: as said, else whoever types: by the environment, else by the machine's list of users. Empty where nobody is known. */
export function ownerOf({ env }: Pick<Shell, 'env'>, said: string | undefined): { owner?: string } {
  const names = [said, env['USER'], env['LOGNAME']].filter((name) => name !== undefined && name !== '');
  const owner = names[0] ?? userName();
  return owner === '' ? {} : { owner: owner.slice(0, 100) };
}

/** Empty for a number that the machine has no name for, as in a container. */
function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

export interface RunOptions extends FollowOptions {
  dataset?: string;
  seed?: number;
  owner?: string;
}

/** The recipe at `path`, started and followed to its end. */
export async function runRecipe(shell: Shell, path: string, options: RunOptions): Promise<void> {
  const read = await readRecipe(path, { dataset: options.dataset, seed: options.seed });
  await withClient(shell, async (client, { ui }) => {
    const recipe = onCluster(client, read);
    await follow(shell, client, await startRun(client, { recipe, ...ownerOf(shell, options.owner) }), options, ui);
  });
}

/** The options of every verb that starts a run. */
export function withRunOptions(command: Command): Command {
  return command
    .option('--fail-on-question', 'end with exit code 3 when the run waits for an operator')
    .option('--json', 'print how it ended as JSON; the run is shown on stderr');
}

export const registerRun: Register = (program, shell) => {
  withRunOptions(program.command('run'))
    .argument('<recipe>', 'the recipe, a YAML file', aPath)
    .option('--dataset <folder>', 'the dataset, instead of the recipe’s', aPath)
    .option('--seed <n>', 'seed of the training, instead of the recipe’s', wholeNumber)
    .option('--owner <name>', 'whose run it is (default: you)', aName)
    .description('start a run and watch it')
    .action((path: string, options: RunOptions) => runRecipe(shell, path, options));
};
