/**
 * The program: every verb of `critic`, one line each. A verb is one file of `commands/`. It has a function of client and input that does the
 * work, the JSON schema and the table of its value, and its arguments. To import this runs nothing.
 */
import { Command, CommanderError } from 'commander';
import { shown } from '../domain/errors.ts';
import { aCluster } from './arguments.ts';
import { CliError, exitCodes } from './cli-error.ts';
import { registerAnswer } from './commands/answer.ts';
import { registerArtifactsGc } from './commands/artifacts-gc.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerDemo } from './commands/demo.ts';
import { registerExperiment } from './commands/experiment/experiment.ts';
import { registerLocal } from './commands/local.ts';
import { registerNights } from './commands/nights.ts';
import { registerNotices } from './commands/notices.ts';
import { registerPause } from './commands/pause.ts';
import { registerPlan } from './commands/plan.ts';
import { registerRerun } from './commands/rerun.ts';
import { registerResume } from './commands/resume.ts';
import { registerRetry } from './commands/retry.ts';
import { registerRuns } from './commands/runs.ts';
import { registerRun } from './commands/run.ts';
import { registerSchedule } from './commands/schedule/schedule.ts';
import { registerEvaluate } from './commands/scoring/evaluate.ts';
import { registerScore } from './commands/scoring/score.ts';
import { registerScorings } from './commands/scoring/scorings.ts';
import { registerServe } from './commands/serve.ts';
import { registerStatus } from './commands/status.ts';
import { registerWatch } from './commands/watch.ts';
import { registerArtifacts } from './commands/artifacts/artifacts.ts';
import { registerChampion } from './commands/champion/champion.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerCheckpoints } from './commands/reading/checkpoints.ts';
import { registerDiff } from './commands/reading/diff.ts';
import { registerLogs } from './commands/reading/logs.ts';
import { registerMetrics } from './commands/reading/metrics.ts';
import { addExamples } from './examples.ts';
import { sentenceOf } from './connection.ts';
import type { Register, Shell } from './shell.ts';

/** In the order of `--help`. */
const verbs: readonly Register[] = [
  registerRun,
  registerPlan,
  registerRuns,
  registerStatus,
  registerDemo,
  registerWatch,
  registerLogs,
  registerMetrics,
  registerCheckpoints,
  registerDiff,
  registerArtifacts,
  registerChampion,
  registerScore,
  registerEvaluate,
  registerScorings,
  registerAnswer,
  registerRetry,
  registerPause,
  registerCancel,
  registerResume,
  registerRerun,
  registerSchedule,
  registerExperiment,
  registerNights,
  registerNotices,
  registerArtifactsGc,
  registerServe,
  registerDoctor,
  registerLocal,
  registerCompletion,
];

export function createProgram(given: Shell): Command {
  const shell = { ...given };
  const program = new Command('critic')
    .description('Train an image-edit critic on Slurm as one durable Temporal workflow')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => shell.stdout.write(text),
      writeErr: (text) => shell.stderr.write(text),
      outputError: (text, write) => write(inOurWords(text)),
    });
  program.option(
    '--cluster <name>',
    'the cluster that is meant (default: that of the recipe or run, else CRITIC_CLUSTER)',
    (text: string) => (shell.cluster = aCluster(text)),
  );
  for (const register of verbs) register(program, shell);
  addExamples(program);
  return program;
}

const wrongValue =
  /^(?:command-argument value '(?<value>.*)' is invalid for argument '(?<name>.+?)'|option '(?<flags>.+?)' argument '.*' is invalid)\. (?:Allowed choices are (?<choices>.*)\.|(?<why>.*))$/s;

/** What commander says of a command line, as we say it: `critic: stage: expected …, got …`. A text of another form stays as it is. */
function inOurWords(text: string): string {
  const said = text.replace(/^error: /, '').trimEnd();
  const { value, name, flags, choices, why = '' } = wrongValue.exec(said)?.groups ?? {};
  const field = name ?? flags?.split(/[ ,]/).find((word) => word.startsWith('--'));
  const expected = choices === undefined ? why : `expected one of ${choices}, got ${shown(value)}`;
  return `critic: ${field === undefined ? said : `${field}: ${expected}`}\n`;
}

/** Runs one command line, without `node` and the script's name. An error is one sentence on stderr and an exit code. */
export async function runCritic(argv: readonly string[], shell: Shell): Promise<void> {
  try {
    await createProgram(shell).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    // Commander has printed its own sentence, or the help.
    if (error instanceof CommanderError) return shell.exitWith(error.exitCode);
    shell.stderr.write(`critic: ${sentenceOf(error)}\n`);
    shell.exitWith(error instanceof CliError ? error.exitCode : exitCodes.failed);
  }
}
