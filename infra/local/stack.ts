/**
 * The stack: up, down, status. All are idempotent. `up` starts what does not run, leaves what runs, and mends a half-started stack.
 * `down` stops in reverse order. Only one runs at a time, by a lock that dies with its holder.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimStore } from '../../activities/store/own-cluster.ts';
import { prepare } from './prepare.ts';
import { running, start, startTimeOf, stop } from './processes.ts';
import type { Service } from './service.ts';
import { services } from './services.ts';
import { execute, makeState } from './slurm-root.ts';
import { slurmEnv } from './slurm-services.ts';
import { folders, type StackConfig } from './stack-config.ts';
import { withWorkerFiles } from './worker-files.ts';

export interface ServiceStatus {
  name: string;
  state: 'running' | 'stopped';
  pid?: number;
  port?: number;
  since?: string;
}

export type Say = (line: string) => void;

/**
 * Starts every service that does not run, each as soon as those it needs are ready. Throws one sentence if one fails, a file of the worker is faulty, or the
 * store is another cluster's; then nothing was stopped.
 */
export async function up(given: StackConfig, say: Say): Promise<void> {
  await withLock(given, async () => {
    const config = await withWorkerFiles(given, say);
    prepare(config);
    // As the worker itself would, but before the one that runs is stopped.
    if (services(config).some(({ name }) => name === 'worker')) await claimStore(folders(config).store, config.cluster);
    const ready = new Map<string, Promise<void>>();
    for (const service of services(config)) {
      const before = service.after.map((name) => ready.get(name) ?? Promise.resolve());
      const work = Promise.all(before).then(() => bring(config, service, say));
      ready.set(service.name, work);
    }
    const failed = (await Promise.allSettled(ready.values())).find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  });
}

/**
 * Stops everything, newest first. Jobs are cancelled before, since slurmstepd outlives slurmd. Returns what could not be cancelled, a sentence each: such a
 * job goes on without Slurm.
 */
export async function down(config: StackConfig, say: Say): Promise<string[]> {
  const left: string[] = [];
  await withLock(config, async () => {
    const pids = (name: string) => join(folders(config).pids, `${name}.json`);
    if (running(pids('worker')) !== undefined) say('worker: stopping');
    await stop(pids('worker'), 40_000);
    if (running(pids('slurmctld')) !== undefined) left.push(...(await cancelJobs(config)));
    else if (services(config).some(({ name }) => name.startsWith('slurmd-') && running(pids(name)) !== undefined))
      left.push('slurmctld does not run, so no job was cancelled: those on the nodes may go on');
    for (const service of services(config).toReversed()) {
      if (running(pids(service.name)) !== undefined) say(`${service.name}: stopping`);
      await stop(pids(service.name), service.name === 'database' ? 60_000 : 15_000);
    }
  });
  return left;
}

export function status(config: StackConfig): ServiceStatus[] {
  return services(config).map(({ name, port }) => {
    const record = running(join(folders(config).pids, `${name}.json`));
    return {
      name,
      state: record === undefined ? 'stopped' : 'running',
      ...(port === undefined ? {} : { port }),
      ...(record === undefined ? {} : { pid: record.pid, since: record.since }),
    };
  });
}

async function bring(config: StackConfig, service: Service, say: Say): Promise<void> {
  const where = folders(config);
  const record = join(where.pids, `${service.name}.json`);
  const log = join(where.logs, `${service.name}.log`);
  const launch = service.launch();
  const fingerprint = JSON.stringify([launch.argv, launch.env]);
  const standing = running(record);
  if (standing !== undefined && standing.fingerprint !== fingerprint) {
    say(`${service.name}: is started anew, since its settings have changed`);
    await stop(record);
  }
  if (running(record) === undefined) {
    const startedAt = Date.now();
    start(record, { ...launch, log, fingerprint });
    await waitUntilReady(service, record, log);
    say(`${service.name}: up in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
    return;
  }
  await waitUntilReady(service, record, log);
}

async function waitUntilReady(service: Service, record: string, log: string): Promise<void> {
  const until = Date.now() + service.deadlineSeconds * 1000;
  for (;;) {
    if (running(record) === undefined)
      throw new Error(`${service.name} ended at once; the end of ${log}:\n${tail(log)}`);
    try {
      await service.ready();
      return;
    } catch (error) {
      if (Date.now() > until) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(
          `${service.name} is not ready after ${service.deadlineSeconds} s (${why}); the end of ${log}:\n${tail(log)}`,
          { cause: error },
        );
      }
      await sleep(150);
    }
  }
}

/** One that hangs is given up, ms. */
const requestMs = 20_000;

/** Asked again and again, since a busy controller drops requests. What is left after a minute, or that nobody tells. */
async function cancelJobs(config: StackConfig): Promise<string[]> {
  const env = slurmEnv(config);
  let left = ['slurmctld does not say which jobs run: they may go on'];
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(500)) {
    await execute(config, ['/usr/bin/scancel', '--user=critic'], env, requestMs).catch(() => '');
    const jobs = await execute(config, ['/usr/bin/squeue', '-h', '--user=critic', '-o', '%A'], env, requestMs).catch(
      () => undefined,
    );
    if (jobs?.trim() === '') return [];
    if (jobs !== undefined)
      left = jobs
        .trim()
        .split('\n')
        .map((id) => `job ${id} was cancelled and has not ended`);
  }
  return left;
}

function tail(path: string): string {
  if (!existsSync(path)) return '(no log)';
  return readFileSync(path, 'utf8').split('\n').slice(-12).join('\n').trim();
}

/** Holds `<state>/local/lock`. A lock whose holder is gone is taken over. */
async function withLock(config: StackConfig, work: () => Promise<void>): Promise<void> {
  makeState(config);
  const { local } = folders(config);
  mkdirSync(local, { recursive: true });
  const path = join(local, 'lock');
  for (let tries = 0; !takeLock(path); tries += 1) {
    if (tries > 600) throw new Error(`another "critic local" holds ${path} for five minutes now`);
    await sleep(500);
  }
  try {
    await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function takeLock(path: string): boolean {
  const mine = `${process.pid} ${startTimeOf(process.pid) ?? ''}`;
  try {
    const file = openSync(path, 'wx');
    writeSync(file, mine);
    closeSync(file);
    return true;
  } catch {
    const [pid = '', startTime = ''] = existsSync(path) ? readFileSync(path, 'utf8').split(' ') : [];
    if (startTimeOf(Number(pid)) !== startTime) rmSync(path, { force: true });
    return false;
  }
}
