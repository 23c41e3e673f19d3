/** One command, timed: wall and CPU seconds of it and its children, in all and until a file has its first whole line. */
import { spawn } from 'node:child_process';
import { openSync, readdirSync, readFileSync, statSync } from 'node:fs';

export interface Timed {
  wall: number;
  /** User and system, of all processes that it waited for. */
  cpu: number;
  /** From its start until the first line was in the file. */
  firstStep: number;
  /** CPU seconds until then, of processes that still ran or had been waited for. */
  firstStepCpu: number;
}

export interface Command {
  argv: [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
  log: string;
  /** Its first line is written after the first step. */
  steps: string;
}

const lookMs = 50;

/** Throws if it fails, with the place of its log. */
export async function timed({ argv, env, cwd, log, steps }: Command): Promise<Timed> {
  const times = `${log}.times`;
  const script = 'TIMEFORMAT="%R %U %S"; times=$1; log=$2; shift 2; { time "$@" >"$log" 2>&1; } 2>"$times"';
  const startedAt = performance.now();
  let first: { firstStep: number; firstStepCpu: number } | undefined;
  const child = spawn('/bin/bash', ['-c', script, 'timed', times, log, ...argv], {
    env,
    cwd,
    stdio: ['ignore', 'ignore', openSync(`${log}.shell`, 'w')],
  });
  const watch = setInterval(() => {
    if (first !== undefined || !hasLine(steps)) return;
    first = { firstStep: (performance.now() - startedAt) / 1000, firstStepCpu: cpuOfTree(child.pid ?? 0) };
  }, lookMs);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code ?? 'a signal'}: see ${log}`);
  const [wall = NaN, user = NaN, system = NaN] = readFileSync(times, 'utf8').trim().split(/\s+/).map(Number);
  if (first === undefined) throw new Error(`${steps} never had a line: see ${log}`);
  return { wall, cpu: user + system, ...first };
}

const ticksPerSecond = 100;

/** CPU seconds of a process, of its descendants, and of those of them that were waited for: /proc/PID/stat, fields 4 and 14 to 17. */
function cpuOfTree(root: number): number {
  const processes = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? statOf(name) : []));
  const tree = new Set([root]);
  for (let size = 0; size !== tree.size;) {
    size = tree.size;
    for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid);
  }
  return processes.filter(({ pid }) => tree.has(pid)).reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond;
}

function statOf(name: string): { pid: number; parent: number; ticks: number }[] {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'utf8');
    // The program's name, in parentheses, may hold anything.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] ?? 0), 0);
    return [{ pid: Number(name), parent: fields[1] ?? 0, ticks }];
  } catch (error) {
    // It has ended since it was listed.
    if (error instanceof Error) return [];
    throw error;
  }
}

function hasLine(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0 && readFileSync(path, 'utf8').includes('\n');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}
