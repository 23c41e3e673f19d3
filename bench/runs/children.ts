/** Children of the bench: a Temporal dev server with a database of its own, and workers. Each is ended by its own pid. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type * as z from 'zod';
import { services } from '../../infra/local/services.ts';
import { environment, nodeFlags } from '../../workers/process-settings.ts';
import { config, where } from '../stack.ts';
import { type workerOrder, workerSays } from './worker.ts';

export interface Child {
  pid: number;
  /** Returns when it has ended. */
  end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
}

/** The server as `critic local up` starts it, on an empty database. */
export async function startServer(): Promise<Child> {
  const service = services(config).find(({ name }) => name === 'temporal');
  if (service === undefined) throw new Error('the local stack has no service "temporal"');
  mkdirSync(where.local, { recursive: true });
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(where.local, `temporal.db${suffix}`), { force: true });
  const { argv, env, cwd } = service.launch();
  const [program, ...args] = argv;
  const child = spawn(program, args, { env, cwd, stdio: 'ignore' });
  const running = childOf(child);
  const deadline = Date.now() + service.deadlineSeconds * 1000;
  for (;;) {
    try {
      await service.ready();
      return running;
    } catch (error) {
      if (Date.now() > deadline || child.exitCode !== null) throw error;
      await sleep(300);
    }
  }
}

export interface BenchWorker extends Child {
  /** When the process was started, ms epoch. */
  startedAt: number;
  says: () => Promise<z.output<typeof workerSays>>;
}

/** A worker process with the flags and the environment of a real one. It may not be ready yet. */
export function startWorker(order: z.output<typeof workerOrder>): BenchWorker {
  const startedAt = Date.now();
  const child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [JSON.stringify(order)], {
    execArgv: nodeFlags,
    env: { ...process.env, ...environment },
  });
  return {
    ...childOf(child),
    startedAt,
    says: async () => {
      child.send('say');
      const [said]: unknown[] = await once(child, 'message');
      return workerSays.parse(said);
    },
  };
}

function childOf(child: ChildProcess): Child {
  const exit = once(child, 'exit');
  const { pid } = child;
  if (pid === undefined) throw new Error('a child of the bench could not be started');
  return {
    pid,
    end: async (signal) => {
      child.kill(signal);
      await exit;
    },
  };
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`no resident memory of process ${pid}`);
  return Number(kib) / 1024;
}

/** CPU seconds that a process has used so far. Linux counts them in hundredths. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
