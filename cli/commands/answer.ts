/** `critic answer`: answers a run that waits. What is wrong with an answer is said by the flag that was typed. */
import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import * as z from 'zod';
import { stageSchema } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import { answerFault, type OperatorAnswer } from '../../domain/operator-answer.ts';
import { actions, anAction, aRun, aStage, nodeNames, positiveNumber, wholeNumber } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { findRun } from '../run-handle.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';

/** The answer that a run took, and what it said to it. */
const answered = z.object({
  run: z.string(),
  stage: stageSchema,
  action: z.enum(actions),
  said: z.string(),
});
export type Answered = z.output<typeof answered>;

export const answerView: View<Answered> = { schema: answered, lines: ({ said }) => [said] };

/** Sends an operator's answer. Throws a CliError for a run that is not known or over, and with what its validator refuses. */
export async function answer(
  client: Client,
  { run, answer: given }: { run: string; answer: OperatorAnswer },
): Promise<Answered> {
  const { handle, status, isOpen } = await findRun(client, run);
  if (!isOpen) throw new CliError(`run ${run}: expected one that waits, got one that has ended (${status})`);
  try {
    const said = await handle.executeUpdate<string, [OperatorAnswer]>('answer', { args: [given] });
    return { run, stage: given.stage, action: given.action, said };
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) throw new CliError(error.cause?.message ?? error.message);
    throw error;
  }
}

interface AnswerOptions extends ViewOptions {
  question?: string;
  exclude?: string[];
  minutes?: number;
  memoryFactor?: number;
  budget?: number;
}

/** What each field of an answer is called on the command line. */
const flags: Readonly<Record<string, string>> = {
  stage: 'stage',
  action: 'action',
  question: '--question',
  excludeNodes: '--exclude',
  timeLimitMinutes: '--minutes',
  memoryFactor: '--memory-factor',
  budgetUsd: '--budget',
};

/** The options as an answer. Throws a CliError that names the flag. */
function answerOf(stage: Stage, action: OperatorAnswer['action'], options: AnswerOptions): OperatorAnswer {
  const given: OperatorAnswer = {
    stage,
    action,
    ...(options.question === undefined ? {} : { question: options.question }),
    ...(options.exclude === undefined ? {} : { excludeNodes: options.exclude }),
    ...(options.minutes === undefined ? {} : { timeLimitMinutes: options.minutes }),
    ...(options.memoryFactor === undefined ? {} : { memoryFactor: options.memoryFactor }),
    ...(options.budget === undefined ? {} : { budgetUsd: options.budget }),
  };
  const fault = answerFault(given, (field) => flags[field] ?? field);
  if (fault !== undefined) throw new CliError(fault);
  return given;
}

export const registerAnswer: Register = (program, shell) => {
  program
    .command('answer')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .argument('<stage>', 'the stage that asks', aStage)
    .argument('<action>', 'retry, skip or abort', anAction)
    .option('--question <id>', 'id of the question (default: the stage’s open question)')
    .option('--exclude <nodes>', 'retry of a job: do not use these nodes (n1,n2)', nodeNames)
    .option('--minutes <n>', 'retry of a job: its new time limit in minutes', wholeNumber)
    .option('--memory-factor <x>', 'retry of a job: multiply the recipe’s memory by x', positiveNumber)
    .option('--budget <usd>', 'retry of synthesis: its new cap in USD', positiveNumber)
    .option('--json', 'print the answer as JSON')
    .description('answer a run that waits')
    .action(async (run: string, stage: Stage, action: OperatorAnswer['action'], options: AnswerOptions) => {
      const given = answerOf(stage, action, options);
      const value = await withClient(shell, (client) => answer(client, { run, answer: given }));
      shell.stdout.write(`${textOf(answerView, value, options)}\n`);
    });
};
