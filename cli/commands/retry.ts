/** `critic retry`: a new attempt of a job with changes, whether its stage asks or the job is under way. It goes on from the last checkpoint. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { stageSchema } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import type { OperatorAnswer } from '../../domain/operator-answer.ts';
import { aRun, aStage } from '../arguments.ts';
import { answerOf, type ChangeOptions, withChanges } from '../job-changes.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { tell } from './answer.ts';
import { ownerOf } from './run.ts';

const retried = z.object({ run: z.string(), stage: stageSchema, said: z.string() });
export type Retried = z.output<typeof retried>;

export const retryView: View<Retried> = { schema: retried, lines: ({ said }) => [said] };

/** Throws a CliError for a run that is not known or over, and for a stage that neither asks nor has a job under way. */
export async function retry(client: Client, run: string, wanted: OperatorAnswer): Promise<Retried> {
  return { run, stage: wanted.stage, said: await tell(client, run, 'retry', wanted, 'goes on') };
}

export const registerRetry: Register = (program, shell) => {
  withChanges(program.command('retry'))
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .argument('<stage>', 'the stage that asks, or whose job is under way', aStage)
    .option('--anew', 'end the attempt under way though nothing changes')
    .option('--json', 'print it as JSON')
    .description('have a job begin a new attempt with changes, from its last checkpoint')
    .addHelpText('after', '\nExample: critic retry demo-20261128-190000 sft --minutes 240')
    .action(async (run: string, stage: Stage, options: ChangeOptions & ViewOptions) => {
      const { owner: by } = ownerOf(shell, undefined);
      const wanted = answerOf({ stage, action: 'retry', ...(by === undefined ? {} : { by }) }, options);
      const value = await withClient(shell, (client) => retry(client, run, wanted));
      shell.stdout.write(`${textOf(retryView, value, options)}\n`);
    });
};
