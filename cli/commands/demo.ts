/** `critic demo`: starts the local stack, draws the sample dataset, runs the demo recipe. This is `npm start`. */
import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { join } from 'node:path';
import {
  checkout,
  folders,
  localEnvironment,
  port,
  type StackConfig,
  stackConfig,
} from '../../infra/local/stack-config.ts';
import { up } from '../../infra/local/stack.ts';
import { aPath, wholeNumber, wholeNumberFrom } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { Register, Shell } from '../shell.ts';
import { type RunOptions, runRecipe, withRunOptions } from './run.ts';

interface DemoOptions extends RunOptions, Sample {
  recipe: string;
  json?: true;
}

export const registerDemo: Register = (program, shell) => {
  withSampleOptions(withRunOptions(program.command('demo')), 100, 10)
    .option('--seed <n>', 'seed of the training, instead of the recipe’s', wholeNumber)
    .option('--recipe <file>', 'the recipe, a YAML file', aPath, join(checkout, 'recipes/demo.yaml'))
    .description('start the local stack, draw the sample dataset, run the demo recipe')
    .action((options: DemoOptions) => demo(shell, options));
};

async function demo(shell: Shell, options: DemoOptions): Promise<void> {
  const screen = options.json === true ? shell.stderr : shell.stdout;
  const config = stackConfig(shell.env);
  await up(config, (line) => screen.write(`${line}\n`));
  const dataset = join(folders(config).datasets, `sample-${options.dataSeed}-${options.sources}x${options.edits}`);
  drawSample(shell, config, dataset, options);
  screen.write(`Temporal UI: http://127.0.0.1:${port(config, 'temporalUi')}\n`);
  await runRecipe(shell, options.recipe, { ...options, dataset });
}

interface Sample {
  dataSeed: number;
  sources: number;
  edits: number;
  /** Pairs of the train split get a `critique`. */
  critiques?: true;
  /** `inspection`: a dataset of experiments/own-data/words.yaml, which has critiques. */
  kind?: 'edits' | 'inspection' | 'inspection-first';
  json?: true;
}

/** The options of every verb that draws the sample dataset. */
export function withSampleOptions(command: Command, sources: number, edits: number): Command {
  return command
    .option('--data-seed <n>', 'seed of the drawn dataset', wholeNumber, 7)
    .option('--sources <n>', 'source pictures to draw, at least 10', wholeNumberFrom(10), sources)
    .option('--edits <n>', 'edits of each source, at least 1', wholeNumberFrom(1), edits);
}

/** Draws the sample dataset into a folder. One that stands is left as it is, if it is of the same numbers. Throws a CliError otherwise. */
export function drawSample(shell: Shell, config: StackConfig, dataset: string, sample: Sample): void {
  const { dataSeed, sources, edits, critiques, kind = 'edits', json } = sample;
  const python = localEnvironment(config)['CRITIC_PYTHON'] ?? 'python3';
  const numbers = ['--seed', String(dataSeed), '--sources', String(sources), '--edits', String(edits), '--kind', kind];
  if (critiques === true) numbers.push('--critiques');
  const { status } = spawnSync(python, ['-m', 'critic_trainer.scenes', '--out', dataset, ...numbers], {
    stdio: ['inherit', json === true ? 2 : 'inherit', 'inherit'],
    env: { ...shell.env, PYTHONPATH: join(config.checkout, 'trainer'), PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0) throw new CliError(`drawing the sample dataset into "${dataset}" failed`);
}
