/**
 * bench/runs: many open runs on one worker process, on a Temporal dev server of the bench's own. Activities are stand-ins, except that jobs are watched by
 * the real watcher, which heartbeats (`stand-ins.ts`). Each open run has two jobs that run: SFT and the predictions of the base.
 *
 *   npm run bench:runs -- [--runs 1000] [--seconds 60] [--cached N] [--watchers N]
 *
 * Printed: history events of an ordinary run, resident memory for each open run, CPU of worker and server while nothing happens but heartbeats, the time of
 * `critic runs`, and after the worker was stopped with TERM and with KILL and started anew: seconds until each job is watched again.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import * as z from 'zod';
import { forEachConcurrently } from '../../activities/bounded-concurrency.ts';
import { taskQueues } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { workerSizes } from '../../workers/queues.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { config, temporalAddress } from '../stack.ts';
import { type BenchWorker, cpuSeconds, residentMiB, startServer, startWorker } from './children.ts';
import { benchRecipe } from './recipe.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    cached: { type: 'string', default: String(workerSizes.cachedWorkflows) },
    watchers: { type: 'string', default: String(workerSizes.watchers) },
  },
});
const whole = (text: string) => z.coerce.number().int().min(1).parse(text);
const [count, seconds] = [whole(values.runs), whole(values.seconds)];
const sizes = { cachedWorkflows: whole(values.cached), watchers: whole(values.watchers) };
const jobsOfRun = 2;
const goals = { mibOfRun: 2, events: 300, listMs: 1000, watchedAgainS: 30 };
/** How often the bench looks, ms, and how long it waits for something at most. */
const [lookMs, patienceMs] = [500, 40 * 60_000];

const missed: string[] = [];
function tell(what: string, value: number, digits: number, unit: string, goal?: number): void {
  const verdict = goal === undefined ? '' : value <= goal ? ` (goal ≤ ${goal})` : ` (goal ≤ ${goal}: MISSED)`;
  if (goal !== undefined && value > goal) missed.push(what);
  console.log(`${what}: ${value.toFixed(digits)} ${unit}${verdict}`);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'critic-bench-runs-'));
  const server = await startServer();
  const order = { address: temporalAddress, folder, ...sizes };
  let worker = startWorker(order);
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  try {
    console.log(`${count} runs, ${sizes.cachedWorkflows} cached workflows, ${sizes.watchers} watchers`);
    await ordinaryRun(client);
    const idle = residentMiB(worker.pid);
    await openRuns(client, worker);
    await atRest(worker, server.pid, idle);
    await listing();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const endedAt = Date.now();
      await worker.end(signal);
      worker = startWorker(order);
      await watchedAgain(worker, signal, endedAt);
    }
  } finally {
    await worker.end('SIGKILL');
    await connection.close();
    await server.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
  if (missed.length > 0) {
    console.log(`missed: ${missed.join(', ')}`);
    process.exitCode = 1;
  }
}

function start(client: Client, run: string) {
  const plan: RunPlan = { schema: 1, run, recipe: benchRecipe };
  return client.workflow.start<typeof trainCritic>('trainCritic', {
    workflowId: run,
    taskQueue: taskQueues.workflows,
    args: [plan],
  });
}

async function ordinaryRun(client: Client): Promise<void> {
  const handle = await start(client, 'ordinary-20260101-000000');
  await handle.result();
  const { historyLength } = await handle.describe();
  tell('history events of an ordinary run', historyLength, 0, 'events', goals.events);
}

async function openRuns(client: Client, worker: BenchWorker): Promise<void> {
  const startedAt = Date.now();
  const names = Array.from({ length: count }, (_, at) => `open-20260101-${String(at).padStart(6, '0')}`);
  await forEachConcurrently(names, 20, async (name) => {
    await start(client, name);
  });
  await untilWatched(worker);
  tell('until all jobs of all runs are watched', (Date.now() - startedAt) / 1000, 0, 's');
}

/** Says how many are watched if that takes too long, and goes on with those. */
async function untilWatched(worker: BenchWorker): Promise<number[]> {
  const wanted = count * jobsOfRun;
  const deadline = Date.now() + patienceMs;
  for (let before = -1; ;) {
    const seen = Object.values((await worker.says()).watched);
    if (seen.length >= wanted) return seen;
    if (Date.now() > deadline || seen.length === before) {
      missed.push(`${wanted - seen.length} jobs are not watched`);
      console.log(`only ${seen.length} of ${wanted} jobs are watched`);
      return seen;
    }
    // Nothing new for two minutes means that no slot is free.
    if (seen.length >= sizes.watchers) before = seen.length;
    await sleep(seen.length >= sizes.watchers ? 120_000 : lookMs);
  }
}

async function atRest(worker: BenchWorker, server: number, idle: number): Promise<void> {
  await sleep(20_000);
  const before = [worker.pid, server].map(cpuSeconds);
  let most = 0;
  for (let at = 0; at < seconds; at += 1) {
    most = Math.max(most, residentMiB(worker.pid));
    await sleep(1000);
  }
  const used = [worker.pid, server].map((pid, at) => (cpuSeconds(pid) - (before[at] ?? 0)) / seconds);
  const { heapBytes } = await worker.says();
  tell('resident memory of the worker before they began', idle, 0, 'MiB');
  tell('resident memory of the worker with all runs', most, 0, 'MiB');
  tell('resident memory for each open run', (most - idle) / count, 3, 'MiB', goals.mibOfRun);
  tell('V8 heap in use', heapBytes / 2 ** 20, 0, 'MiB');
  tell('CPU of the worker at rest', (used[0] ?? 0) * 100, 0, '% of a core');
  tell('CPU of the Temporal server at rest', (used[1] ?? 0) * 100, 0, '% of a core');
}

/** The command as a person types it, whole process and all; the middle one of five. */
async function listing(): Promise<void> {
  const cli = join(config.checkout, 'cli/main.ts');
  const env = { ...process.env, CRITIC_TEMPORAL_ADDRESS: temporalAddress };
  for (const options of [[], ['--status', 'waiting'], ['--limit', '1000', '--json']]) {
    const times: number[] = [];
    for (let at = 0; at < 5; at += 1) {
      const startedAt = performance.now();
      await promisify(execFile)(process.execPath, [cli, 'runs', ...options], { env, maxBuffer: 2 ** 26 });
      times.push(performance.now() - startedAt);
    }
    tell(`critic ${['runs', ...options].join(' ')}`, times.toSorted((a, b) => a - b)[2] ?? 0, 0, 'ms', goals.listMs);
  }
}

async function watchedAgain(worker: BenchWorker, signal: string, endedAt: number): Promise<void> {
  const times = (await untilWatched(worker)).toSorted((a, b) => a - b);
  const share = (part: number, since: number) =>
    ((times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0) - since) / 1000;
  console.log(
    `${signal}: the new process began ${((worker.startedAt - endedAt) / 1000).toFixed(1)} s after the signal`,
  );
  tell(`${signal}: restart → watched again, median`, share(0.5, worker.startedAt), 1, 's');
  tell(`${signal}: restart → watched again, p95`, share(0.95, worker.startedAt), 1, 's', goals.watchedAgainS);
  tell(`${signal}: restart → watched again, last`, share(1, worker.startedAt), 1, 's');
}

await main();
