/** `critic pause` and `critic unpause`: take a run off the GPUs for a while. Its jobs save a checkpoint and end, and go on from it later. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import type { PauseRequest } from '../../domain/jobs/progress.ts';
import { pauseFault } from '../../domain/pausing.ts';
import { aRun } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { tell } from './answer.ts';
import { ownerOf } from './run.ts';

const told = z.object({ run: z.string(), said: z.string() });
export type Told = z.output<typeof told>;

export const pauseView: View<Told> = { schema: told, lines: ({ run, said }) => [`run ${run}: ${said}`] };

/** Throws a CliError for a run that is not known or over. */
export async function pause(
  client: Client,
  verb: 'pause' | 'unpause',
  { run, request }: { run: string; request: PauseRequest },
): Promise<Told> {
  return { run, said: await tell(client, run, verb, request, 'goes on') };
}

interface PauseOptions extends ViewOptions {
  note?: string;
}

const verbs = {
  pause: 'have a run’s jobs save a checkpoint and end, and begin nothing until it is unpaused',
  unpause: 'let a paused run go on from its checkpoints',
} as const;

export const registerPause: Register = (program, shell) => {
  for (const verb of ['pause', 'unpause'] as const) {
    program
      .command(verb)
      .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
      .option('--note <text>', 'why, for people')
      .option('--json', 'print it as JSON')
      .description(verbs[verb])
      .action(async (run: string, options: PauseOptions) => {
        const { owner: by } = ownerOf(shell, undefined);
        const { note } = options;
        const request = { ...(by === undefined ? {} : { by }), ...(note === undefined ? {} : { note }) };
        const fault = pauseFault(request);
        if (fault !== undefined) throw new CliError(fault.replace('pause.note', '--note'));
        const value = await withClient(shell, (client) => pause(client, verb, { run, request }));
        shell.stdout.write(`${textOf(pauseView, value, options)}\n`);
      });
  }
};
