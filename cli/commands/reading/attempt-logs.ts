/** `critic logs`: the logs of a run's jobs, across attempts, as they grow if asked. They come through Temporal, in pages. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import type { AttemptSummary, LogPage } from '../../../domain/inquiries.ts';
import { isJobStage, type JobStage } from '../../../domain/names.ts';
import { aJobStage, aRun, wholeNumberFrom } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { inquire } from '../../inquire.ts';
import { plainLog, sizeText } from '../../views/log-text.ts';
import { findRun, followedTypes, UnknownRun } from '../../run-handle.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';

export const jobStageSchema = z.custom<JobStage>((value) => typeof value === 'string' && isJobStage(value));
export const attemptSchema = z.object({
  stage: jobStageSchema,
  attempt: z.number(),
  jobId: z.string().nullable(),
  host: z.string().nullable(),
  exitCode: z.number().nullable(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  logBytes: z.number(),
});
export const attemptsReply = z.object({ attempts: z.array(attemptSchema) });
const page = z.object({ text: z.string(), from: z.number(), next: z.number(), size: z.number() });
const log = z.object({
  ...attemptSchema.shape,
  /** Bytes before the text that are not shown, and bytes up to its end. */
  left: z.number(),
  next: z.number(),
  /** As the job wrote it. */
  text: z.string(),
});
export type AttemptLog = z.output<typeof log>;
export const logsView: View<AttemptLog[]> = { schema: z.array(log), lines: (all) => all.flatMap(linesOf) };

interface Wanted {
  run: string;
  stage: JobStage | undefined;
  attempt: number | undefined;
  /** All of each log, not only its end. */
  all: boolean;
}

/** Logs of the attempts of one stage, oldest first. Without a stage: that of the newest attempt. */
export async function logs(client: Client, wanted: Wanted): Promise<AttemptLog[]> {
  const read: AttemptLog[] = [];
  for (const one of await wantedAttempts(client, wanted)) {
    let next = await pageOf(client, wanted.run, one, wanted.all ? 0 : null, { whole: true, waitSeconds: 0 });
    const left = next.from;
    let text = next.text;
    while (next.next < next.size && next.text !== '') {
      next = await pageOf(client, wanted.run, one, next.next, { whole: true, waitSeconds: 0 });
      text += next.text;
    }
    read.push({ ...one, left, next: next.next, text });
  }
  return read;
}

/** Follows logs until the run is over. `write` gets what is new, in whole lines. */
export async function followLogs(
  client: Client,
  wanted: Wanted,
  write: (text: string) => void,
  pauseMs = 3000,
): Promise<void> {
  const begun = await logs(client, { ...wanted, all: false });
  for (const one of begun) write(`${linesOf(one).join('\n')}\n`);
  // A log's last line may not have ended: what follows it begins a new one here.
  const seen = new Map(begun.map((one) => [nameOf(one), one.next]));
  const stage = begun.at(-1)?.stage;
  for (let isOpen = true; isOpen;) {
    isOpen = await goesOn(client, wanted.run);
    const attempts = (await wantedAttempts(client, { ...wanted, stage: wanted.stage ?? stage })).slice(-2);
    for (const one of attempts) {
      const from = seen.get(nameOf(one));
      if (from === undefined) write(`${heading(one)}\n`);
      const waitSeconds = isOpen && one === attempts.at(-1) ? 10 : 0;
      const read = await pageOf(client, wanted.run, one, from ?? 0, { whole: !isOpen, waitSeconds });
      if (read.text !== '') write(`${plainLog(read.text).replace(/\n$/, '')}\n`);
      seen.set(nameOf(one), read.text === '' ? (from ?? 0) : read.next);
      if (read.text !== '' && read.next < read.size) isOpen = true;
    }
    if (isOpen) await sleep(pauseMs);
  }
}

async function wantedAttempts(client: Client, { run, stage, attempt }: Wanted): Promise<AttemptSummary[]> {
  const { attempts } = await inquire(client, 'attempts', { run, stage: stage ?? null }, attemptsReply);
  const newest = attempts.at(-1);
  if (newest === undefined) {
    await findRun(client, run, followedTypes); // a run that nobody knows is told
    const which = stage === undefined ? 'no job has begun' : `stage ${stage} has no job of this run`;
    throw new CliError(`run ${run}: ${which}: it has not begun, or was reused; "critic status ${run}" says which`);
  }
  const ofStage = attempts.filter((one) => one.stage === newest.stage);
  const found = attempt === undefined ? ofStage : ofStage.filter((one) => one.attempt === attempt);
  if (found.length > 0) return found;
  const numbers = ofStage.map((one) => one.attempt).join(', ');
  throw new CliError(`--attempt: expected one of stage ${newest.stage} (${numbers}), got ${attempt}`);
}

function pageOf(
  client: Client,
  run: string,
  { stage, attempt }: AttemptSummary,
  from: number | null,
  how: { whole: boolean; waitSeconds: number },
): Promise<LogPage> {
  return inquire(client, 'log', { run, stage, attempt, from, ...how }, page);
}

/** A run that this Temporal has forgotten is over. */
export async function goesOn(client: Client, run: string): Promise<boolean> {
  try {
    return (await findRun(client, run, followedTypes)).isOpen;
  } catch (error) {
    if (error instanceof UnknownRun) return false;
    throw error;
  }
}

const nameOf = ({ stage, attempt }: AttemptSummary) => `${stage} attempt ${attempt}`;

function heading(one: AttemptSummary): string {
  const end = one.exitCode === null ? '' : `, exit ${one.exitCode}`;
  return `==> ${nameOf(one)}${one.jobId === null ? '' : `, job ${one.jobId}`}${one.host === null ? '' : ` on ${one.host}`}${end} <==`;
}

function linesOf(one: AttemptLog): string[] {
  return [
    heading(one),
    ...(one.left === 0 ? [] : [`… ${sizeText(one.left)} before; --all prints them`]),
    ...(one.text === '' ? ['(nothing yet)'] : plainLog(one.text).replace(/\n$/, '').split('\n')),
  ];
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
    .option('-f, --follow', 'go on as they grow, with later attempts, until the run is over')
    .option('--attempt <n>', 'this attempt only', wholeNumberFrom(1))
    .option('--all', 'all of each log, not only its last 16 KiB')
    .option('--json', 'print them as JSON (not with -f)')
    .description('print the logs of a run’s jobs')
    .addHelpText('after', '\nExample: critic logs demo-20261128-190000 grpo -f')
    .action(async (run: string, stage: JobStage | undefined, options: LogsOptions) => {
      if (options.follow === true && options.json === true) throw new CliError('--json: expected no -f beside it');
      const wanted = { run, stage, attempt: options.attempt, all: options.all === true };
      await withClient(shell, async (client) => {
        if (options.follow === true) return followLogs(client, wanted, (text) => void shell.stdout.write(text));
        shell.stdout.write(`${textOf(logsView, await logs(client, wanted), options)}\n`);
      });
    });
};
