/** `critic cancel`: asks a run to cancel its jobs and end. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { aRun } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { afterEnd, findRun, followedTypes } from '../run-handle.ts';
import { type Register, textOf, type View, type ViewOptions, warningOn, withClient } from '../shell.ts';
import { waitsForWorker } from '../workers.ts';

/** A run that was asked to end. It ends when its jobs are gone: `watch` sees that. */
const cancelled = z.object({ run: z.string(), status: z.literal('cancelling') });
export type Cancelled = z.output<typeof cancelled>;

export const cancelView: View<Cancelled> = {
  schema: cancelled,
  lines: ({ run }) => [`asked run ${run} to cancel its jobs and end; watch it with: npm run critic -- watch ${run}`],
};

/** Asks the run to cancel. Says by `warn` if it waits for a worker. Throws a CliError for a run that is not known, or over. */
export async function cancel(
  client: Client,
  { run, warn }: { run: string; warn: (sentence: string) => void },
): Promise<Cancelled> {
  const { handle, cluster, status, isOpen, isScoring } = await findRun(client, run, followedTypes);
  if (!isOpen)
    throw new CliError(
      `run ${run}: expected one that goes on, got one that has ended (${status})${afterEnd(run, status, isScoring)}`,
    );
  await handle.cancel();
  const waits = await waitsForWorker(client, cluster, `run ${run} ends, and its jobs with it,`);
  if (waits !== undefined) warn(waits);
  return { run, status: 'cancelling' };
}

export const registerCancel: Register = (program, shell) => {
  program
    .command('cancel')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .option('--json', 'print it as JSON')
    .description('cancel a run and its jobs')
    .action(async (run: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => cancel(client, { run, warn: warningOn(shell) }));
      shell.stdout.write(`${textOf(cancelView, value, options)}\n`);
    });
};
