/** `critic demo`: starts the local stack, draws the sample dataset, runs the demo recipe. This is `npm start`. */
import { spawnSync } from 'node:child_process';
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

interface DemoOptions extends RunOptions {
  recipe: string;
  dataSeed: number;
  sources: number;
  edits: number;
}

export const registerDemo: Register = (program, shell) => {
  withRunOptions(program.command('demo'))
    .option('--seed <n>', 'seed of the training, instead of the recipe’s', wholeNumber)
    .option('--recipe <file>', 'the recipe, a YAML file', aPath, join(checkout, 'recipes/demo.yaml'))
    .option('--data-seed <n>', 'seed of the drawn dataset', wholeNumber, 7)
    .option('--sources <n>', 'source pictures to draw, at least 10', wholeNumberFrom(10), 100)
    .option('--edits <n>', 'edits of each source, at least 1', wholeNumberFrom(1), 10)
    .description('start the local stack, draw the sample dataset, run the demo recipe')
    .action((options: DemoOptions) => demo(shell, options));
};

async function demo(shell: Shell, options: DemoOptions): Promise<void> {
  const screen = options.json === true ? shell.stderr : shell.stdout;
  const config = stackConfig(shell.env);
  await up(config, (line) => screen.write(`${line}\n`));
  const dataset = drawSample(shell, config, options);
  screen.write(`Temporal UI: http://127.0.0.1:${port(config, 'temporalUi')}\n`);
  await runRecipe(shell, options.recipe, { ...options, dataset });
}

/** Draws the sample dataset into its folder, which it returns; one that stands is left as it is. */
function drawSample(shell: Shell, config: StackConfig, { dataSeed, sources, edits, json }: DemoOptions): string {
  const dataset = join(folders(config).datasets, `sample-${dataSeed}-${sources}x${edits}`);
  const python = localEnvironment(config)['CRITIC_PYTHON'] ?? 'python3';
  const numbers = ['--seed', String(dataSeed), '--sources', String(sources), '--edits', String(edits)];
  const { status } = spawnSync(python, ['-m', 'critic_trainer.scenes', '--out', dataset, ...numbers], {
    stdio: ['inherit', json === true ? 2 : 'inherit', 'inherit'],
    env: { ...shell.env, PYTHONPATH: join(config.checkout, 'trainer'), PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0) throw new CliError(`drawing the sample dataset into "${dataset}" failed`);
  return dataset;
}
