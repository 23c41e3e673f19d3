/** The stack that the fault tests break: its own state and ports, real Temporal, real Slurm, a worker of its own. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, type ProcessRecord, running, start, stop } from '../../infra/local/processes.ts';
import type { Service } from '../../infra/local/service.ts';
import { services } from '../../infra/local/services.ts';
import { nodes, slurmConf } from '../../infra/local/slurm-files.ts';
import { onRelease } from '../../infra/local/slurm-releases.ts';
import { execute, identity } from '../../infra/local/slurm-root.ts';
import { slurmEnv } from '../../infra/local/slurm-services.ts';
import {
  folders,
  localEnvironment,
  port,
  type StackConfig,
  stackConfig,
  users,
} from '../../infra/local/stack-config.ts';

const base = stackConfig();

/** Ports stay below the ephemeral range (32768), where any outgoing connection may sit. */
const own: StackConfig = { ...base, state: `${base.state}-faults`, portBase: base.portBase + 6_000 };
const release = process.env['FAULTS_SLURM'];
/** On this machine's Slurm, or with FAULTS_SLURM=26.05 on that release. */
export const config = release === undefined ? own : onRelease({ ...own, state: `${own.state}-${release}` }, release);
export const where = folders(config);
export const temporalAddress = `127.0.0.1:${port(config, 'temporal')}`;
/** Between worker and slurmrestd stands the tests' proxy. */
export const proxyPort = config.portBase + 900;
export const restPort = port(config, 'slurmrestd');
export const trainer = join(config.state, 'trainer');
export const counters = join(config.state, 'counters');
const tokenFile = join(where.local, 'slurm.token');

/** What a fresh stack needs beyond `up`: the stand-in trainer, a folder for counters, a token file. */
export async function furnish(): Promise<void> {
  rmSync(trainer, { recursive: true, force: true });
  cpSync(fileURLToPath(new URL('trainer', import.meta.url)), trainer, { recursive: true });
  mkdirSync(counters, { recursive: true });
  chmodSync(counters, 0o777);
  await writeAllState();
  await writeToken(86_400);
}

/** A token for this many seconds, in the file that the worker reads. */
export async function writeToken(seconds: number, user: string = users.job): Promise<void> {
  const token = await slurm('scontrol', 'token', `username=${user}`, `lifespan=${seconds}`);
  writeFileSync(tokenFile, token, { mode: 0o600 });
}

/** Runs one of Slurm's own programs as root. */
export async function slurm(program: string, ...args: string[]): Promise<string> {
  return (await execute(config, [`/usr/bin/${program}`, ...args], slurmEnv(config))).trim();
}

/** Changes lines of slurm.conf (`MinJobAge` → `2`) and has the controller read it again. */
export async function reconfigure(changes: Record<string, string>): Promise<void> {
  const path = join(where.slurm, 'slurm.conf');
  let text = readFileSync(path, 'utf8');
  for (const [key, value] of Object.entries(changes)) {
    text = text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`);
  }
  writeFileSync(path, text);
  await slurm('scontrol', 'reconfigure');
}

/** An empty store of 4 MiB over the store, with its owner and mode, until the returned function is called. */
export async function mountSmallStore(): Promise<() => Promise<void>> {
  const { uid, gid, mode } = statSync(where.store);
  const options = `size=4m,uid=${uid},gid=${gid},mode=${(mode & 0o7777).toString(8)}`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'critic-faults', where.store]);
  await seeMounts();
  return unmountStore;
}

/** The store as the worker sees it takes no write, until the returned function is called; what is open stays writable. */
export async function mountReadOnlyStore(): Promise<() => Promise<void>> {
  execFileSync('mount', ['--bind', where.store, where.store]);
  execFileSync('mount', ['-o', 'remount,ro,bind', where.store]);
  await seeMounts();
  return unmountStore;
}

async function unmountStore(): Promise<void> {
  execFileSync('umount', ['-l', where.store]);
  await seeMounts();
}

/** The daemons of another release see the mounts that stood when they started: those that run jobs start anew. */
async function seeMounts(): Promise<void> {
  if (config.slurm === undefined) return;
  for (const node of nodes) {
    await kill(`slurmd-${node}`);
    await launch(`slurmd-${node}`);
  }
}

/** What a run of these tests that was cut off has left: a store mounted over the store, a second worker. */
export async function clearUp(): Promise<void> {
  const store = existsSync(where.store) ? realpathSync(where.store) : where.store;
  while (readFileSync('/proc/mounts', 'utf8').includes(` ${store} `)) execFileSync('umount', ['-l', store]);
  await stopWorker('worker-b');
}

/** slurmctld writes what it knows at most this late (SAVE_MAX_WAIT in its state_save.c); killed before, it loses the newest jobs. */
const saveMs = 5_000;

/** Waits until slurmctld has written what it knows now. */
export async function stateSaved(): Promise<void> {
  await sleep(saveMs + 1_000);
}

/** Nodes that an earlier test left drained (two jobs under one id) or down take jobs again. */
export async function resumeNodes(): Promise<void> {
  const names = (await slurm('sinfo', '-h', '-N', '-o', '%N %t')).split('\n');
  const unfit = names.filter((line) => /(drain|drng|down)/.test(line)).map((line) => line.split(' ')[0] ?? '');
  if (unfit.length > 0) await slurm('scontrol', 'update', `nodename=${unfit.join(',')}`, 'state=resume');
}

/** slurmctld dies, loses what it knew and gives ids anew, from this one on. */
export async function loseState(firstJobId: number): Promise<void> {
  const folder = join(where.slurm, 'ctld');
  const { uid, gid } = identity(config, users.slurm);
  await kill('slurmctld');
  rmSync(folder, { recursive: true });
  mkdirSync(folder, { mode: 0o700 });
  chownSync(folder, uid, gid);
  await appendToSlurmConf([`FirstJobId=${firstJobId}`]);
  await writeAllState();
}

/**
 * A new slurmctld of 26.05 writes `assoc_usage` when it is stopped, not before its first hour, and once it has jobs does not
 * start without it: "fatal: No Assoc usage file". Stopped once, it can be killed as often as a test likes.
 */
async function writeAllState(): Promise<void> {
  if (config.slurm === undefined) return;
  await stop(record('slurmctld'), 40_000);
  await launch('slurmctld');
}

/** Starts slurmctld anew with the stack's slurm.conf and these lines below it. */
export async function appendToSlurmConf(lines: string[]): Promise<void> {
  if (runs('slurmctld')) await kill('slurmctld');
  writeFileSync(join(where.slurm, 'slurm.conf'), `${slurmConf(config)}${lines.map((line) => `${line}\n`).join('')}`);
  await launch('slurmctld');
}

function record(name: string): string {
  return join(where.pids, `${name}.json`);
}

function service(name: string): Service {
  const found = services(config).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no such service: ${name}`);
  return found;
}

export function runs(name: string): boolean {
  return existsSync(record(name)) && running(record(name)) !== undefined;
}

/** The process of a service. Throws if it does not run. */
export function processOf(name: string): ProcessRecord {
  const found = running(record(name));
  if (found === undefined) throw new Error(`${name} does not run`);
  return found;
}

export function signal(name: string, what: NodeJS.Signals): void {
  process.kill(processOf(name).pid, what);
}

/** kill -9, and waits until it is gone. */
export async function kill(name: string): Promise<void> {
  const found = processOf(name);
  process.kill(found.pid, 'SIGKILL');
  while (isAlive(found)) await sleep(20);
}

/** Starts a service that does not run, with its own launch or another environment, and waits until it is ready. */
export async function launch(name: string, env: Record<string, string> = {}): Promise<void> {
  const one = service(name);
  const launching = one.launch();
  start(record(name), {
    ...launching,
    ...(launching.argv.some((word) => word.startsWith('--root='))
      ? { argv: inside(launching.argv, env) }
      : { env: { ...launching.env, ...env } }),
    log: join(where.logs, `${name}.log`),
    fingerprint: 'faults',
  });
  const until = Date.now() + one.deadlineSeconds * 1000;
  for (;;) {
    try {
      await one.ready();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(150);
    }
  }
}

/**
 * The program of another release gets its variables behind the wrapper that changes root and user: a library that is preloaded
 * into the wrapper would be the wrong one, and libfaketime waits for ever for a semaphore that it made as root.
 */
function inside([wrapper, ...rest]: [string, ...string[]], env: Record<string, string>): [string, ...string[]] {
  const program = rest.findIndex((word) => !word.startsWith('--'));
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [wrapper, ...rest.slice(0, program), '/usr/bin/env', ...variables, ...rest.slice(program)];
}

/** The worker under test: the product's, asking the proxy, with a token file and short intervals. A second one by another name. */
export async function startWorker(name = 'worker'): Promise<void> {
  if (existsSync(record(name))) await stop(record(name), 40_000);
  const { argv, cwd } = service('worker').launch();
  const { CRITIC_SLURM_TOKEN_COMMAND: _, ...environment } = localEnvironment(config);
  const ready = join(where.local, `${name}.ready`);
  rmSync(ready, { force: true });
  start(record(name), {
    argv,
    cwd,
    log: join(where.logs, `${name}.log`),
    fingerprint: 'faults',
    env: {
      ...environment,
      PATH: process.env['PATH'] ?? '',
      HOME: where.local,
      CRITIC_READY_FILE: ready,
      CRITIC_SLURM_URL: `http://127.0.0.1:${proxyPort}`,
      CRITIC_SLURM_TOKEN_FILE: tokenFile,
      CRITIC_PYTHON: '/usr/bin/python3',
      CRITIC_POLL_INTERVAL_MS: '1000',
      CRITIC_REAPER_INTERVAL_MS: '5000',
      CRITIC_FILE_INTERVAL_MS: '300',
      CRITIC_ACCOUNTING_PATIENCE_MS: '15000',
    },
  });
  const until = Date.now() + 120_000;
  while (!existsSync(ready)) {
    if (Date.now() > until || running(record(name)) === undefined) {
      throw new Error(`the worker does not get ready: see ${where.logs}/${name}.log`);
    }
    await sleep(100);
  }
}

export async function stopWorker(name = 'worker'): Promise<void> {
  await stop(record(name), 40_000);
}
