/** `critic evaluate`: how far a champion agrees with people on a dataset of another origin. */
import { aPath, aRecipe } from '../../arguments.ts';
import { seenByWorker } from './scoring-start.ts';
import type { Register } from '../../shell.ts';
import { type CriticOptions, criticOf, scoreAndFollow, settingsOf, withCritic } from './score.ts';

interface EvaluateOptions extends CriticOptions {
  dataset: string;
}

export const registerEvaluate: Register = (program, shell) => {
  withCritic(program.command('evaluate'))
    .argument('[champion]', 'the champion that judges; else say --run', aRecipe)
    .requiredOption('--dataset <folder>', 'its folder, with a table of pairs and people’s opinions', aPath)
    .description('compare a champion with people on a dataset of another origin; paths are as the worker sees them')
    .addHelpText('after', '\nExample: critic evaluate demo --dataset /data/other --mapping other.yaml')
    .action(async (champion: string | undefined, options: EvaluateOptions) => {
      const critic = criticOf({ ...options, ...(champion === undefined ? {} : { champion }) });
      const pairs = { kind: 'folder' as const, path: seenByWorker(options.dataset) };
      await scoreAndFollow(shell, options, { purpose: 'evaluate', critic, pairs, ...(await settingsOf(options)) });
    });
};
