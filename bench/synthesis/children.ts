/** Children: the server and the stage, each a process of its own, ended by its own pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { environment, nodeFlags } from '../../workers/process-settings.ts';
import { type Count, countSchema } from './reckoning.ts';

export interface BenchServer {
  baseUrl: string;
  count(): Promise<Count>;
  stop(): Promise<void>;
}

/** A server of this scenario's own. `options` as in server.ts, without dashes. */
export async function startServer(options: Record<string, string | number>): Promise<BenchServer> {
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(process.execPath, [path('server.ts'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = z.tuple([z.string()]).parse(await once(createInterface({ input: child.stdout }), 'line'));
  return {
    baseUrl: line,
    count: async () => countSchema.parse(await (await fetch(new URL('/count', line))).json()),
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

const doneSchema = z.object({ artifact: z.custom<ArtifactRef>((value) => value !== null), peakMiB: z.number() });

export interface StageRun {
  child: ChildProcess;
  startedAt: number;
  done: Promise<z.output<typeof doneSchema>>;
}

export function startStage(input: unknown): StageRun {
  const child = spawn(process.execPath, [...nodeFlags, path('stage.ts'), JSON.stringify(input)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const done = once(child, 'close').then(([code]: unknown[]) => {
    if (code !== 0) throw new Error(`the stage ended with ${String(code)}: ${lines.join('\n')}`);
    return doneSchema.parse(JSON.parse(lines.at(-1) ?? ''));
  });
  return { child, startedAt: performance.now(), done };
}

/** Polls until `reached`; the server's count at that moment. */
export async function until(server: BenchServer, reached: (count: Count) => boolean, everyMs: number): Promise<Count> {
  for (;;) {
    const count = await server.count();
    if (reached(count)) return count;
    await sleep(everyMs);
  }
}

function path(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
