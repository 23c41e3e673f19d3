/**
 * Processes: each is started in a session of its own and recorded with pid *and* start time. Only that record stops it. If another
 * process has the pid meanwhile, it has another start time and is never touched. A zombie counts as ended.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessRecord {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  startTime: string;
  /** /proc/sys/kernel/random/boot_id: a pid means nothing after a reboot. */
  boot: string;
  /** What was started. If the command line is another one now, the service must be started anew. */
  fingerprint: string;
  since: string;
}

export interface Launch {
  argv: [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
  log: string;
  uid?: number | undefined;
  gid?: number | undefined;
  fingerprint: string;
}

/** Starts a process and records it. Its stdout and stderr are appended to the log. */
export function start(recordPath: string, launch: Launch): ProcessRecord {
  const [command, ...args] = launch.argv;
  mkdirSync(dirname(launch.log), { recursive: true });
  const log = openSync(launch.log, 'a');
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: launch.env,
    cwd: launch.cwd,
    ...(launch.uid === undefined ? {} : { uid: launch.uid }),
    ...(launch.gid === undefined ? {} : { gid: launch.gid }),
  });
  child.on('error', () => undefined); // spawn failures show as "not running" below
  child.unref();
  const startTime = child.pid === undefined ? undefined : startTimeOf(child.pid);
  if (child.pid === undefined || startTime === undefined) {
    throw new Error(`could not start ${command}: see ${launch.log}`);
  }
  const record = {
    pid: child.pid,
    startTime,
    boot: bootId(),
    fingerprint: launch.fingerprint,
    since: new Date().toISOString(),
  };
  writeFileSync(`${recordPath}.tmp`, JSON.stringify(record));
  renameSync(`${recordPath}.tmp`, recordPath);
  return record;
}

/** The record if its process is still the one that was started, else undefined. */
export function running(recordPath: string): ProcessRecord | undefined {
  const record = readRecord(recordPath);
  return record !== undefined && isAlive(record) ? record : undefined;
}

export function isAlive(record: ProcessRecord): boolean {
  return record.boot === bootId() && startTimeOf(record.pid) === record.startTime;
}

/** TERM, then KILL after `patienceMs`. Returns when the process is gone. Does nothing if the record is stale. */
export async function stop(recordPath: string, patienceMs = 10_000): Promise<void> {
  const record = readRecord(recordPath);
  if (record !== undefined && isAlive(record)) {
    process.kill(record.pid, 'SIGTERM');
    const until = Date.now() + patienceMs;
    while (isAlive(record) && Date.now() < until) await sleep(50);
    if (isAlive(record)) {
      process.kill(record.pid, 'SIGKILL');
      while (isAlive(record)) await sleep(50);
    }
  }
  rmSync(recordPath, { force: true });
}

/** Start time of a live process. Undefined if there is none, or only a zombie. */
export function startTimeOf(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // no such process
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function readRecord(path: string): ProcessRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // absent or torn: nothing that could be stopped safely
  }
}

function isRecord(value: unknown): value is ProcessRecord {
  return typeof value === 'object' && value !== null && 'pid' in value && 'startTime' in value && 'boot' in value;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
