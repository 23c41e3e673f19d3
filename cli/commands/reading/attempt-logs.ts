/** The logs of a run's jobs, across attempts. They come through Temporal, in pages. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import type { AttemptSummary, LogPage } from '../../../domain/inquiries.ts';
import { exitMeaning } from '../../../domain/jobs/job-outcome.ts';
import { isJobStage, type JobStage } from '../../../domain/names.ts';
import { CliError } from '../../cli-error.ts';
import { inquire } from '../../inquire.ts';
import { plainLog, sizeText } from '../../views/log-text.ts';
import { findRun, followedTypes, UnknownRun } from '../../run-handle.ts';
import type { View } from '../../shell.ts';

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

export interface WantedLogs {
  run: string;
  stage: JobStage | undefined;
  attempt: number | undefined;
  /** All of each log, not only its end. */
  all: boolean;
}

/** Logs of the attempts of one stage, oldest first. Without a stage: that of the newest attempt. */
export async function logs(client: Client, wanted: WantedLogs): Promise<AttemptLog[]> {
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

async function wantedAttempts(client: Client, { run, stage, attempt }: WantedLogs): Promise<AttemptSummary[]> {
  const attempts = await attemptsIn(client, run, stage);
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

/** Attempts of a run or of one of its stages, oldest first. Empty too for a run that nobody knows. */
export async function attemptsIn(client: Client, run: string, stage: JobStage | undefined): Promise<AttemptSummary[]> {
  return (await inquire(client, 'attempts', { run, stage: stage ?? null }, attemptsReply)).attempts;
}

export function pageOf(
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

export const nameOf = ({ stage, attempt }: AttemptSummary) => `${stage} attempt ${attempt}`;

export function heading(one: AttemptSummary): string {
  const meaning = one.exitCode === null ? undefined : exitMeaning(one.exitCode);
  const end = one.exitCode === null ? '' : `, exit ${one.exitCode}${meaning === undefined ? '' : ` (${meaning})`}`;
  return `==> ${nameOf(one)}${one.jobId === null ? '' : `, job ${one.jobId}`}${one.host === null ? '' : ` on ${one.host}`}${end} <==`;
}

export function linesOf(one: AttemptLog): string[] {
  return [
    heading(one),
    ...(one.left === 0 ? [] : [`… ${sizeText(one.left)} before; --all prints them`]),
    ...(one.text === '' ? ['(nothing yet)'] : plainLog(one.text).replace(/\n$/, '').split('\n')),
  ];
}
