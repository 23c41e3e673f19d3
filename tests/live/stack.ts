/** The live stack as tests see it: the CLI as a person starts it, sacct, and the worker's pid. A missing stack fails. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

export const state = required('CRITIC_STATE');
export const store = required('CRITIC_STORE');

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name}: expected the live stack's environment, got nothing; "npm test" brings one up`);
  return value;
}

export interface Finished {
  code: number;
  output: string;
}

/** Starts `critic …` without a terminal; `output` grows while it runs. */
export function critic(...args: string[]): { child: ChildProcess; seen: () => string; done: Promise<Finished> } {
  const child = spawn(process.execPath, [join(root, 'cli/main.ts'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const done = new Promise<Finished>((resolve) => child.on('close', (code) => resolve({ code: code ?? 1, output })));
  return { child, seen: () => output, done };
}

/** Jobs of a run as slurmdbd has them, by name. */
export async function accountedJobs(runId: string): Promise<Map<string, { id: string; state: string }[]>> {
  const { stdout } = await run('sacct', [
    '-X',
    '-n',
    '-P',
    '--allusers',
    '-S',
    'now-1days',
    '-o',
    'JobName%80,JobID,State',
  ]);
  const jobs = new Map<string, { id: string; state: string }[]>();
  for (const line of stdout.trim().split('\n')) {
    const [name = '', id = '', jobState = ''] = line.split('|');
    if (name.includes(runId)) jobs.set(name, [...(jobs.get(name) ?? []), { id, state: jobState }]);
  }
  return jobs;
}

export function workerPid(): number {
  const record: unknown = JSON.parse(readFileSync(join(state, 'local/pids/worker.json'), 'utf8'));
  if (typeof record !== 'object' || record === null || !('pid' in record) || typeof record.pid !== 'number') {
    throw new Error('the worker has no pid record');
  }
  return record.pid;
}

/** Waits for a text in a growing output. */
export async function sees(output: () => string, text: RegExp, seconds: number): Promise<RegExpExecArray> {
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    const found = text.exec(output());
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`did not see ${String(text)} within ${seconds} s in:\n${output()}`);
}
