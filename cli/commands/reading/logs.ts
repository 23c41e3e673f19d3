/** `critic logs`: what the jobs of a run have printed, as it grows if asked. */
import type { Client } from '@temporalio/client';
import type { AttemptSummary } from '../../../domain/inquiries.ts';
import type { JobStage } from '../../../domain/names.ts';
import { aJobStage, aRun, wholeNumberFrom } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { type Register, textOf, type ViewOptions, warningOn, withClient } from '../../shell.ts';
import { attemptsIn, logs, logsView } from './attempt-logs.ts';
import { followLogs } from './follow-logs.ts';

/** Stages with a log of their own that is not shown. */
async function otherStages(client: Client, run: string, shown: readonly AttemptSummary[]): Promise<JobStage[]> {
  const all = await attemptsIn(client, run, undefined);
  const stages = new Set(all.filter(({ logBytes }) => logBytes > 0).map(({ stage }) => stage));
  for (const { stage } of shown) stages.delete(stage);
  return [...stages];
}

interface LogsOptions extends ViewOptions {
  follow?: true;
  attempt?: number;
  all?: true;
}

export const registerLogs: Register = (program, shell) => {
  program
    .command('logs')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .argument('[stage]', 'a stage with a job (default: that of the newest job)', aJobStage)
    .option('-f, --follow', 'go on as they grow, with later attempts and stages, until the run is over')
    .option('--attempt <n>', 'this attempt only', wholeNumberFrom(1))
    .option('--all', 'all of each log, not only its last 16 KiB')
    .option('--json', 'print them as JSON (not with -f)')
    .description('print the logs of a run’s jobs')
    .addHelpText('after', '\nExample: critic logs demo-20261128-190000 grpo -f')
    .action(async (run: string, stage: JobStage | undefined, options: LogsOptions) => {
      if (options.follow === true && options.json === true) throw new CliError('--json: expected no -f beside it');
      const wanted = { run, stage, attempt: options.attempt, all: options.all === true };
      await withClient(shell, async (client) => {
        if (options.follow === true) {
          const write = (text: string) => void shell.stdout.write(text);
          return followLogs(client, wanted, { write, note: warningOn(shell) });
        }
        const value = await logs(client, wanted);
        shell.stdout.write(`${textOf(logsView, value, options)}\n`);
        if (options.json === true) return;
        const others = await otherStages(client, run, value);
        if (others.length > 0)
          shell.stderr.write(`Also: ${others.map((one) => `critic logs ${run} ${one}`).join(', ')}\n`);
      });
    });
};
