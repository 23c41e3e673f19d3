/** `critic experiment run` and `resume`: start experiments and watch them. */
import type { Client } from '@temporalio/client';
import { type Command, InvalidArgumentError } from 'commander';
import { shown } from '../../../domain/errors.ts';
import type { Experiment, MemberView } from '../../../domain/experiment/experiment.ts';
import { readExperiment } from '../../../input/experiment-file.ts';
import { InputFault } from '../../../input/input-fault.ts';
import { aName, aPath, aRun, many, wholeNumberFrom } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { requireSame } from '../../cluster.ts';
import { findRun, UnknownRun } from '../../run-handle.ts';
import { type Shell, type ViewOptions, withClient } from '../../shell.ts';
import { ownerOf } from '../run.ts';
import { findExperiment, placed, startExperiment } from './experiments.ts';
import { followExperiments } from './follow.ts';
import { recordedOf } from './recorded.ts';

/** `1,2,3` → seeds. */
export function seedsOf(text: string): number[] {
  const seeds = text.split(',').map((one) => (/^\d{1,10}$/.test(one) ? Number(one) : Number.NaN));
  if (seeds.every((one) => one <= 2 ** 31 - 1)) return seeds;
  throw new InvalidArgumentError(
    `expected seeds, whole numbers up to 2147483647 with commas between, got ${shown(text)}`,
  );
}

interface RunOptions extends ViewOptions {
  dataset?: string;
  seeds?: number[];
  atMost?: number;
  owner?: string;
}

/** Reads all files before it starts any, so that a fault in one starts nothing. */
export async function runExperiments(shell: Shell, files: readonly string[], options: RunOptions): Promise<void> {
  const given = await readAll(shell, files, options);
  await withClient(shell, async (client) => {
    const ids: string[] = [];
    for (const experiment of given) ids.push(await startExperiment(client, placed(client, experiment)));
    await followExperiments(shell, client, ids, options);
  });
}

/** Throws one InputFault with the faults of all files. */
async function readAll(shell: Shell, files: readonly string[], options: RunOptions): Promise<Experiment[]> {
  const read = await Promise.allSettled(files.map(async (path) => readExperiment(path, options)));
  const faults = read.flatMap((one): string[] => {
    if (one.status === 'fulfilled') return [];
    if (one.reason instanceof InputFault) return [one.reason.message];
    throw one.reason;
  });
  if (faults.length > 0) throw new InputFault(faults.join('\n'));
  const owner = ownerOf(shell, options.owner);
  return read.flatMap((one) => (one.status === 'fulfilled' ? [{ ...one.value, ...owner }] : []));
}

/**
 * Starts the experiment again. What its runs have made is taken by content; a run that ended early is gone on with from its checkpoints. Throws a CliError
 * for one that goes on itself. It asks Temporal's history alone: no worker that can replay the earlier one is needed.
 */
export async function resumeExperiment(client: Client, id: string): Promise<string> {
  const { isOpen, cluster } = await findExperiment(client, id);
  requireSame(client, id, { cluster });
  if (isOpen)
    throw new CliError(`experiment ${id}: expected one that has ended, got one that goes on: cancel it first`);
  const { experiment, members: before } = await recordedOf(client, id);
  const members = [];
  for (const [index, member] of experiment.members.entries()) {
    const { resumes: earlier, ...rest } = member;
    const last = before[index];
    // One that never began goes on from where that of the experiment before would have.
    const run = last === undefined || last.run === null ? earlier : await endedEarly(client, last);
    members.push(run === undefined ? rest : { ...rest, resumes: run });
  }
  return startExperiment(client, { ...experiment, members });
}

/** The member's run, if it has ended without a verdict. One that goes on (its experiment was terminated) is waited for by what it makes. */
async function endedEarly(client: Client, { run, status }: MemberView): Promise<string | undefined> {
  if (run === null || status === 'passed' || status === 'not-passed') return undefined;
  try {
    const seen = await findRun(client, run);
    return seen.isOpen || seen.status === 'COMPLETED' ? undefined : run;
  } catch (error) {
    if (error instanceof UnknownRun) return undefined;
    throw error;
  }
}

export function registerRunning(experiment: Command, shell: Shell): void {
  experiment
    .command('run')
    .argument('<file...>', 'experiment files, which go on side by side', many(aPath))
    .option('--dataset <folder>', 'the dataset, instead of the recipe’s', aPath)
    .option('--seeds <list>', 'seeds instead of the file’s, with commas between', seedsOf)
    .option('--at-most <n>', 'runs of each under way at once, instead of the file’s', wholeNumberFrom(1))
    .option('--owner <name>', 'whose it is (default: you)', aName)
    .option('--json', 'print how they ended as JSON; what happens is shown on stderr')
    .description('start experiments and watch them; what two arms share is made once')
    .addHelpText(
      'after',
      '\nExample: critic experiment run experiments/reward-sweep.yaml --dataset /data/ie-bench --seeds 1,2,3',
    )
    .action((files: string[], options: RunOptions) => runExperiments(shell, files, options));
  experiment
    .command('resume')
    .argument('<experiment>', 'one that has ended', aRun)
    .option('--json', 'print how it ended as JSON; what happens is shown on stderr')
    .description('start an experiment again that was cancelled, terminated or failed, or lacks runs, and watch it')
    .addHelpText('after', '\nExample: critic experiment resume experiment-mix-20261129-030000')
    .action((id: string, options: ViewOptions) =>
      withClient(shell, async (client) => {
        await followExperiments(shell, client, [await resumeExperiment(client, id)], options);
      }),
    );
}
