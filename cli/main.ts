/** `critic`: the command line. Each verb is one function; errors are one clear sentence and a non-zero exit. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Client } from '@temporalio/client';
import { Command, InvalidArgumentError } from 'commander';
import { shown } from '../domain/errors.ts';
import { isStage, type Stage, stageExpected } from '../domain/names.ts';
import { answerFault, type OperatorAnswer } from '../domain/operator-answer.ts';
import { checkout, folders, localEnvironment, port, stackConfig } from '../infra/local/stack-config.ts';
import { up } from '../infra/local/stack.ts';
import { CliError, cliConfig, connect } from './config.ts';
import { registerLocal } from './local.ts';
import { renderPlan } from './plan-view.ts';
import { readRecipe } from './recipe-file.ts';
import { answerRun, planRecipe, startRun, watchRun } from './runs.ts';
import { renderEnding } from './tables.ts';

interface RunOptions {
  dataset?: string;
  seed?: number;
  failOnQuestion?: true;
}

const program = new Command('critic')
  .description('Train an image-edit critic on Slurm as one durable Temporal workflow')
  .exitOverride();

program
  .command('run')
  .argument('<recipe>', 'YAML file')
  .option('--dataset <folder>', 'instead of the recipe’s')
  .option('--seed <n>', 'instead of the recipe’s', wholeNumber)
  .option('--fail-on-question', 'end with exit code 3 when the run waits for an operator')
  .description('start a run and watch it')
  .action((recipe: string, options: RunOptions) => runRecipe(recipe, options));

program
  .command('plan')
  .argument('<recipe>', 'YAML file')
  .option('--dataset <folder>', 'instead of the recipe’s')
  .option('--seed <n>', 'instead of the recipe’s', wholeNumber)
  .description('say what a run would reuse, ask, cost and take; nothing is spent')
  .action(async (path: string, options: RunOptions) => {
    const recipe = await readRecipe(path, { dataset: options.dataset, seed: options.seed });
    await withClient(async (client) => console.log(renderPlan(await planRecipe(client, recipe)).join('\n')));
  });

program
  .command('demo')
  .option('--seed <n>', 'training seed', wholeNumber)
  .option('--recipe <file>', 'another recipe', join(checkout, 'recipes/demo.yaml'))
  .option('--data-seed <n>', 'seed of the drawn dataset', wholeNumber, 7)
  .option('--sources <n>', 'source pictures to draw', wholeNumber, 100)
  .option('--edits <n>', 'edits of each source', wholeNumber, 10)
  .option('--fail-on-question', 'end with exit code 3 when the run waits for an operator')
  .description('start the local stack, draw the sample dataset, run the demo recipe')
  .action(demo);

program
  .command('watch')
  .argument('<run>', 'its id', aRun)
  .description('show a run until it ends')
  .action(async (run: string) => {
    const config = cliConfig();
    await withClient((client) => follow(client, run, config.ui, false));
  });

program
  .command('answer')
  .argument('<run>', 'its id', aRun)
  .argument('<stage>', 'the stage that asks', aStage)
  .argument('<action>', 'retry, skip or abort')
  .option('--question <id>', 'the question that is meant; else the stage’s open one')
  .option('--exclude <nodes>', 'nodes not to use, comma-separated', (text: string) => text.split(','))
  .option('--minutes <n>', 'another time limit', wholeNumber)
  .option('--memory-factor <x>', 'times the memory', positiveNumber)
  .option('--budget <usd>', 'another cap for synthesis, USD', positiveNumber)
  .description('answer a run that waits')
  .action(
    async (
      run: string,
      stage: Stage,
      action: string,
      options: { question?: string; exclude?: string[]; minutes?: number; memoryFactor?: number; budget?: number },
    ) => {
      if (action !== 'retry' && action !== 'skip' && action !== 'abort') {
        throw new CliError(`action: expected retry, skip or abort, got "${action}"`);
      }
      const answer: OperatorAnswer = {
        stage,
        action,
        ...(options.question === undefined ? {} : { question: options.question }),
        ...(options.exclude === undefined ? {} : { excludeNodes: options.exclude }),
        ...(options.minutes === undefined ? {} : { timeLimitMinutes: options.minutes }),
        ...(options.memoryFactor === undefined ? {} : { memoryFactor: options.memoryFactor }),
        ...(options.budget === undefined ? {} : { budgetUsd: options.budget }),
      };
      const fault = answerFault(answer);
      if (fault !== undefined) throw new CliError(fault);
      await withClient(async (client) => console.log(await answerRun(client, run, answer)));
    },
  );

program
  .command('cancel')
  .argument('<run>', 'its id', aRun)
  .description('cancel a run and its jobs')
  .action(async (run: string) => {
    await withClient(async (client) => {
      await client.workflow.getHandle(run).cancel();
      console.log(`asked run ${run} to cancel its jobs and end; watch it with: npm run critic -- watch ${run}`);
    });
  });

registerLocal(program);

async function demo(
  options: RunOptions & { recipe: string; dataSeed: number; sources: number; edits: number },
): Promise<void> {
  const config = stackConfig();
  await up(config, console.log);
  const dataset = join(folders(config).datasets, `sample-${options.dataSeed}-${options.sources}x${options.edits}`);
  const drawn = spawnSync(
    localEnvironment(config)['CRITIC_PYTHON'] ?? 'python3',
    [
      '-m',
      'critic_trainer.scenes',
      '--out',
      dataset,
      '--seed',
      String(options.dataSeed),
      '--sources',
      String(options.sources),
      '--edits',
      String(options.edits),
    ],
    {
      stdio: 'inherit',
      env: { ...process.env, PYTHONPATH: join(config.checkout, 'trainer'), PYTHONDONTWRITEBYTECODE: '1' },
    },
  );
  if (drawn.status !== 0) throw new CliError(`drawing the sample dataset into "${dataset}" failed`);
  console.log(`Temporal UI: http://127.0.0.1:${port(config, 'temporalUi')}`);
  await runRecipe(options.recipe, { ...options, dataset });
}

async function runRecipe(path: string, options: RunOptions): Promise<void> {
  const recipe = await readRecipe(path, { dataset: options.dataset, seed: options.seed });
  const config = cliConfig();
  await withClient(async (client) => {
    const run = await startRun(client, recipe);
    await follow(client, run, config.ui, options.failOnQuestion === true);
  });
}

/** Watches to the end. Ctrl-C asks whether the run should go on; a second one leaves it running. */
async function follow(client: Client, run: string, ui: string | undefined, failOnQuestion: boolean): Promise<void> {
  const address = ui === undefined ? '' : `${ui}/namespaces/${client.options.namespace}/workflows/${run}`;
  console.log(`run ${run}${address === '' ? '' : `\n${address}`}`);
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const result = await watchRun(client, run, { out: process.stdout, failOnQuestion, signal: stop.signal });
    if (result === undefined) return await leave(client, run);
    const { passed, reasons, reused, report, summary } = result;
    console.log(renderEnding({ summary, passed, reasons, reused, report, ui: address || undefined }).join('\n'));
    if (!result.passed) process.exitCode = 2;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function leave(client: Client, run: string): Promise<void> {
  const watch = `npm run critic -- watch ${run}`;
  process.exitCode = 130;
  if (process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question('\nCancel the run and its jobs? [y/N] ').catch(() => '');
    terminal.close();
    if (/^y(es)?$/i.test(answer.trim())) {
      await client.workflow.getHandle(run).cancel();
      console.log(`cancelling run ${run} and its jobs; see it end: ${watch}`);
      return;
    }
  }
  console.log(`\nThe run goes on. Watch it again: ${watch}\nCancel it and its jobs:  npm run critic -- cancel ${run}`);
}

async function withClient(work: (client: Client) => Promise<void>): Promise<void> {
  const client = await connect(cliConfig());
  try {
    await work(client);
  } finally {
    await client.connection.close();
  }
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`expected a whole number, got ${shown(text)}`);
  return Number(text);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError(`expected a number above 0, got ${shown(text)}`);
  return value;
}

function aRun(text: string): string {
  // Not by the pattern of our own ids: a schedule gives its runs ids of another form. Temporal takes up to 1000 characters.
  if (text.trim() === '' || text.length > 1000) {
    throw new InvalidArgumentError(`expected a run's id, as "critic run" prints it, got ${shown(text)}`);
  }
  return text;
}

function aStage(text: string): Stage {
  if (!isStage(text)) throw new InvalidArgumentError(`expected ${stageExpected}, got ${shown(text)}`);
  return text;
}

program.parseAsync().catch((error: unknown) => {
  const isShown = error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');
  if (!isShown) console.error(`critic: ${error instanceof Error ? error.message : String(error)}`);
  const code = error instanceof Error && 'exitCode' in error ? error.exitCode : 1;
  process.exitCode = typeof code === 'number' ? code : 1;
});
