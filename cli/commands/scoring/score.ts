/** `critic score`: a champion, or the critic of a run, judges pairs of yours. */
import type { Command } from 'commander';
import { type ChosenCritic, mostSamples, type PairSource } from '../../../domain/scoring/scoring.ts';
import { readMapping } from '../../../input/mapping-file.ts';
import { aName, aPath, aRecipe, aRun, wholeNumberFrom } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { orderOf, seenByWorker, startScoring, type WantedScoring } from './scoring-start.ts';
import { type Register, type Shell, withClient } from '../../shell.ts';
import { ownerOf, withRunOptions } from '../run.ts';
import { follow, type FollowOptions } from '../watch.ts';

export interface CriticOptions extends FollowOptions {
  champion?: string;
  run?: string;
  stage: 'sft' | 'grpo';
  samples?: number;
  mapping?: string;
  owner?: string;
}

interface ScoreOptions extends CriticOptions {
  source?: string;
  edited?: string;
  instruction?: string;
  input?: string;
  folder?: string;
  resume?: string;
}

const from1 = wholeNumberFrom(1);

/** Sampled answers to each pair, 1 to 64. */
function sampleCount(text: string): number {
  const count = from1(text);
  if (count > mostSamples) throw new CliError(`--samples: expected at most ${mostSamples}, got ${count}`);
  return count;
}

function aCriticStage(text: string): 'sft' | 'grpo' {
  if (text === 'sft' || text === 'grpo') return text;
  throw new CliError(`--stage: expected sft or grpo, got "${text}"`);
}

/** The options that say which critic, and how it is asked. */
export function withCritic(command: Command): Command {
  return withRunOptions(command)
    .option('--run <run>', 'a run, whose critic judges', aRun)
    .option('--stage <stage>', 'which critic of that run: sft or grpo', aCriticStage, 'grpo')
    .option('--samples <n>', 'sampled answers to each pair, which tell how firm a score is', sampleCount)
    .option('--mapping <file>', 'how the table calls its columns, and its scale: a YAML file', aPath)
    .option('--owner <name>', 'whose it is (default: you)', aName);
}

/** Throws a CliError unless exactly one critic is named. */
export function criticOf({ champion, run, stage }: CriticOptions): ChosenCritic {
  if (champion !== undefined && run === undefined) return { champion };
  if (run !== undefined && champion === undefined) return { run, stage };
  throw new CliError(`expected a champion or a run with --run, got ${run === undefined ? 'neither' : 'both'}`);
}

/** Starts what is wanted, or the rest of what ended early, and follows it. */
export async function scoreAndFollow(
  shell: Shell,
  options: CriticOptions,
  wanted: WantedScoring | { resume: string },
): Promise<void> {
  await withClient(shell, async (client, { ui }) => {
    const order =
      'resume' in wanted
        ? await orderOf(client, wanted.resume, (sentence) => shell.stderr.write(`${sentence}\n`))
        : wanted;
    await follow(
      shell,
      client,
      await startScoring(client, { ...order, ...ownerOf(shell, options.owner) }),
      options,
      ui,
    );
  });
}

/** What all scorings are told alike. */
export async function settingsOf({
  samples,
  mapping,
}: CriticOptions): Promise<Pick<WantedScoring, 'samples' | 'mapping'>> {
  return {
    ...(samples === undefined ? {} : { samples }),
    ...(mapping === undefined ? {} : { mapping: await readMapping(mapping) }),
  };
}

/** Where the pairs are. Throws a CliError unless they are named in one way, and wholly. */
function pairsOf({ source, edited, instruction, input, folder }: ScoreOptions): PairSource {
  const single = source !== undefined || edited !== undefined;
  const ways = [single, input !== undefined, folder !== undefined].filter(Boolean).length;
  if (ways !== 1)
    throw new CliError(
      `expected pairs by --source, --edited and --instruction, by --input, or by --folder, got ${ways === 0 ? 'none of them' : 'several of them'}`,
    );
  if (input !== undefined) return { kind: 'table', path: seenByWorker(input) };
  if (folder !== undefined)
    return { kind: 'folder', path: seenByWorker(folder), ...(instruction === undefined ? {} : { instruction }) };
  if (source === undefined || edited === undefined || instruction === undefined)
    throw new CliError('expected --source, --edited and --instruction together');
  return { kind: 'pair', source: seenByWorker(source), edited: seenByWorker(edited), instruction };
}

export const registerScore: Register = (program, shell) => {
  withCritic(program.command('score'))
    .option('--champion <name>', 'the champion that judges', aRecipe)
    .option('--source <file>', 'the picture before the edit', aPath)
    .option('--edited <file>', 'the picture after it', aPath)
    .option('--instruction <text>', 'what was asked for; with --folder, of pairs that have no text of their own')
    .option('--input <file>', 'a .csv, .tsv or .jsonl file with source, edited, instruction', aPath)
    .option('--folder <folder>', 'a folder with pairs.jsonl, .csv or .tsv, or with source/ and edited/', aPath)
    .option('--resume <id>', 'a scoring that was cancelled or failed: answer only what it has not kept', aRun)
    .description('score edits of your own by a champion or the critic of a run; paths are as the worker sees them')
    .addHelpText('after', '\nExample: critic score --champion demo --input edits.csv --samples 8')
    .action(async (options: ScoreOptions) => {
      if (options.resume !== undefined) return scoreAndFollow(shell, options, { resume: options.resume });
      const wanted = { purpose: 'score' as const, critic: criticOf(options), pairs: pairsOf(options) };
      return scoreAndFollow(shell, options, { ...wanted, ...(await settingsOf(options)) });
    });
};
