/** `critic answer`: answers a run that waits. What is wrong with an answer is said by the flag that was typed. */
import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import * as z from 'zod';
import { stageSchema } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import type { OperatorAnswer } from '../../domain/operator-answer.ts';
import { actions, anAction, aRun, aStage } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { answerOf, byFlag, type ChangeOptions, withChanges } from '../job-changes.ts';
import { afterEnd, findRun, followedTypes } from '../run-handle.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { updated } from '../workers.ts';

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
  const said = await tell(client, run, 'answer', given, 'waits');
  return { run, stage: given.stage, action: given.action, said };
}

/** Sends an update to a run that goes on. Throws a CliError for a run that is not known or over, and with what its validator refuses. */
export async function tell(client: Client, run: string, update: string, arg: unknown, wanted: string): Promise<string> {
  const { handle, cluster, status, isOpen, isScoring } = await findRun(client, run, followedTypes);
  if (!isOpen)
    throw new CliError(
      `run ${run}: expected one that ${wanted}, got one that has ended (${status})${afterEnd(run, status, isScoring)}`,
    );
  try {
    return await updated<string>(
      client,
      { handle, cluster },
      { name: update, arg, late: lateUpdate(run, update, arg) },
    );
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    // It was still asked whether Slurm takes it.
    if (error.cause instanceof ApplicationFailure && error.cause.type === endedMeanwhile)
      throw new CliError(`run ${run}: it ended before it took this up; "critic status ${run}" tells how`);
    throw new CliError(byFlag(error.cause?.message ?? error.message));
  }
}

/** What Temporal calls the failure of an update whose run ended while it was worked on. */
const endedMeanwhile = 'AcceptedUpdateCompletedWorkflow';

/** What a person may do about a request that nobody took up, since it is carried out when a worker is back. */
function lateUpdate(run: string, update: string, arg: unknown): string {
  const back: Readonly<Record<string, string>> = {
    pause: `; "critic unpause ${run}" then takes it back`,
    unpause: `; "critic pause ${run}" then takes it back`,
    abort: `; "critic resume ${run}" then goes on in another run`,
    skip: `; "critic rerun ${run} --from STAGE" makes what was skipped in another run`,
  };
  const isAnswer = update === 'answer' && typeof arg === 'object' && arg !== null && 'action' in arg;
  const what = isAnswer ? String(arg.action) : update;
  return `The run may still take it when one is back: "critic status ${run}" tells${back[what] ?? `; "critic pause ${run}" then stops what it begins`}`;
}

type AnswerOptions = ChangeOptions & ViewOptions;

export const registerAnswer: Register = (program, shell) => {
  withChanges(program.command('answer'))
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .argument('<stage>', 'the stage that asks', aStage)
    .argument('<action>', 'retry, skip or abort', anAction)
    .option('--json', 'print the answer as JSON')
    .description('answer a run that waits')
    .action(async (run: string, stage: Stage, action: OperatorAnswer['action'], options: AnswerOptions) => {
      const given = answerOf({ stage, action }, options);
      const value = await withClient(shell, (client) => answer(client, { run, answer: given }));
      shell.stdout.write(`${textOf(answerView, value, options)}\n`);
    });
};
