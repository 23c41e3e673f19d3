/** `critic run`: starts a run of a recipe and watches it. */
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { taskQueues } from '../../domain/names.ts';
import type { Recipe } from '../../domain/recipe.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { aPath, wholeNumber } from '../arguments.ts';
import { readRecipe } from '../../input/recipe-file.ts';
import { runType, withFreeId } from '../run-handle.ts';
import { type Register, type Shell, withClient } from '../shell.ts';
import { follow, type FollowOptions } from './watch.ts';

/** Starts a run and returns its id, which is the workflow's. `now` is when it starts. */
export async function startRun(client: Client, recipe: Recipe, now = new Date()): Promise<string> {
  const handle = await withFreeId(recipe, now, async (plan) =>
    client.workflow.start<typeof trainCritic>(runType, {
      workflowId: plan.run,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      taskQueue: taskQueues.workflows,
      args: [plan],
      staticSummary: `critic from recipe ${recipe.name}, seed ${recipe.seed}`,
      typedSearchAttributes: undefined,
      searchAttributes: { CriticRecipe: [recipe.name] },
    }),
  );
  return handle.workflowId;
}

export interface RunOptions extends FollowOptions {
  dataset?: string;
  seed?: number;
}

/** The recipe at `path`, started and followed to its end. */
export async function runRecipe(shell: Shell, path: string, options: RunOptions): Promise<void> {
  const recipe = await readRecipe(path, { dataset: options.dataset, seed: options.seed });
  await withClient(shell, async (client, { ui }) => {
    await follow(shell, client, await startRun(client, recipe), options, ui);
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
    .description('start a run and watch it')
    .action((path: string, options: RunOptions) => runRecipe(shell, path, options));
};
