/**
 * What may go into a request. Slurm itself takes job names with slashes, newlines and `$(...)`; URLs with commas are 400; v0.0.38
 * hands the id in a URL to a function that takes array expressions. So only short white lists are allowed. Pure; throws SlurmError `refused`.
 */
import { refusedHere } from './errors.ts';
import type { JobSubmission, JobUpdate } from './types.ts';

export function checkJobId(id: string): string {
  if (!/^\d{1,10}$/.test(id)) throw refusedHere(`job id ${quote(id)} is not a number`);
  return id;
}

export function checkJobName(name: string): string {
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(name)) {
    throw refusedHere(`job name ${quote(name)} is not 1 to 128 characters of A-Z a-z 0-9 . _ -`);
  }
  return name;
}

/** `USR2`, `SIGUSR2` or a number. */
export function checkSignal(signal: string): string {
  if (!/^(?:[A-Z][A-Z0-9+-]{1,11}|\d{1,2})$/.test(signal)) throw refusedHere(`${quote(signal)} is not a signal`);
  return signal;
}

/** Everything that can be wrong with a submission before it is sent. */
export function checkSubmission(job: JobSubmission): void {
  checkJobName(job.name);
  for (const key of ['partition', 'account', 'qos', 'reservation', 'constraints', 'dependency'] as const) {
    checkWord(key, job[key]);
  }
  checkPath('currentWorkingDirectory', job.currentWorkingDirectory, false);
  checkPath('standardOutput', job.standardOutput, true);
  if (job.standardError !== undefined) checkPath('standardError', job.standardError, true);
  checkEnvironment(job.environment);
  if (!job.script.startsWith('#!')) throw refusedHere('script does not begin with #!');
  if (job.script.includes('\0') || job.script.includes('\r\n'))
    throw refusedHere('script holds a NUL or a DOS line end');
  checkText('comment', job.comment);
  for (const key of ['nodes', 'tasks', 'cpusPerTask', 'timeLimitMinutes'] as const) checkCount(key, job[key]);
  if (job.memoryPerNodeMiB !== undefined) checkCount('memoryPerNodeMiB', job.memoryPerNodeMiB);
  if (job.gpus !== undefined) {
    checkCount('gpus.countPerNode', job.gpus.countPerNode);
    checkPattern('gpus.type', job.gpus.type, /^[A-Za-z0-9._-]+$/);
  }
  checkNodes(job.excludedNodes);
  if (job.warningSignal !== undefined) {
    checkSignal(job.warningSignal.signal);
    checkCount('warningSignal.secondsBefore', job.warningSignal.secondsBefore);
  }
}

export function checkUpdate(change: JobUpdate): void {
  if (change.comment !== undefined) checkText('comment', change.comment);
  if (change.timeLimitMinutes !== undefined) checkCount('timeLimitMinutes', change.timeLimitMinutes);
  if (change.excludedNodes !== undefined) checkNodes(change.excludedNodes);
  checkWord('partition', change.partition);
}

function checkEnvironment(environment: Record<string, string>): void {
  const entries = Object.entries(environment);
  if (entries.length === 0)
    throw refusedHere('environment is empty: Slurm refuses such a job, with a misleading error');
  for (const [key, value] of entries) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
      throw refusedHere(`${quote(key)} is not a name of an environment variable`);
    // The value is not in the message: it may be a secret.
    if (/[\0\n\r]/.test(value)) throw refusedHere(`environment variable ${key} holds a NUL or a line end`);
  }
}

/** Opened on the node as the job's user. `%` other than `%j` is refused: `%x` would make folders out of a job's name. */
function checkPath(key: string, path: string, patterns: boolean): void {
  const rest = patterns ? path.replaceAll('%j', '') : path;
  if (!path.startsWith('/') || /[\0\n\r]/.test(path) || path.split('/').includes('..') || rest.includes('%')) {
    throw refusedHere(
      `${key} ${quote(path)} is not an absolute path without "..", line ends and "%"${patterns ? ' (except %j)' : ''}`,
    );
  }
}

function checkNodes(nodes: string[]): void {
  for (const node of nodes) checkPattern('excludedNodes', node, /^[A-Za-z0-9][A-Za-z0-9._-]*$/);
}

function checkWord(key: string, value: string | undefined): void {
  checkPattern(key, value, /^[\u0021-\u007e]{1,255}$/);
}

function checkPattern(key: string, value: string | undefined, pattern: RegExp): void {
  if (value !== undefined && !pattern.test(value))
    throw refusedHere(`${key} ${quote(value)} holds characters that are not allowed`);
}

function checkText(key: string, value: string): void {
  if (/[\0\n\r]/.test(value)) throw refusedHere(`${key} holds a NUL or a line end`);
}

function checkCount(key: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw refusedHere(`${key} ${value} is not a whole number above 0`);
}

function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
}
