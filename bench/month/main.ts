/**
 * bench/month: thirty nights of one schedule, on a real Temporal, a real Slurm and the real trainer, with a recipe of seconds. The schedule's clock is driven
 * by `critic schedule backfill`, one night after another; one night is asked for with `trigger` while another waits.
 *
 *   npm run bench:month              plays the month on a fresh stack of its own, prints digests and counts, takes the stack down
 *   npm run bench:month -- --keep    leaves the stack up; `--count` prints the counts of such a stack again
 *
 * What happens: new pairs on three nights. The worker is killed with -9 while jobs of two of them run, and Temporal while the third is made. One night has a
 * wrong recipe; one waits at its cap until it is answered, and the night that is asked for meanwhile is skipped. All others change nothing. The exit code is 1
 * unless each night ended as it should, no job was doubled, and nights that change nothing submit no job.
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { type JobStage, nightScheduleId, parseAttemptName } from '../../domain/names.ts';
import type { NightResult } from '../../domain/nights/night.ts';
import { down, up } from '../../infra/local/stack.ts';
import type { runNight } from '../../workflows/nights/run-night.ts';
import { slurm, temporalAddress } from '../stack.ts';
import { countMonth } from './counting.ts';
import { type Expected, type Played, verdictOn } from './judging.ts';
import * as world from './world.ts';

const { values } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, count: { type: 'boolean', default: false } },
});
const nights = 30;
const dayMs = 24 * 3600 * 1000;
/** A night of seconds takes no longer than this, ms, whatever is killed. */
const patienceMs = 8 * 60_000;
/** No night begins by itself while the month is played: its hour is twelve hours away. */
const hour = (new Date().getUTCHours() + 12) % 24;
const today = Math.floor(Date.now() / dayMs) * dayMs;

/** What is special about a night, by its number. */
const changes: Record<number, Expected> = {
  1: 'made',
  5: 'made',
  9: 'wrong-recipe',
  15: 'made',
  16: 'skipped',
  22: 'made',
};
/** The cap of the recipe, and one that is reached at once. */
const [usualCap, tinyCap] = ['budget_usd: 1', 'budget_usd: 0.000001'];

async function main(): Promise<void> {
  if (values.count) return printCounts([]);
  await down(world.stack, () => undefined);
  world.prepareWorld(hour);
  await up(world.stack, console.log);
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    console.log(await world.schedule.apply());
    await printCounts(await play(new Client({ connection })));
  } finally {
    await connection.close();
    if (!values.keep) await down(world.stack, () => undefined);
  }
}

async function play(client: Client): Promise<Played[]> {
  const played: Played[] = [];
  for (let number = 1; number <= nights; number += 1) {
    // Night 16 is asked for while night 15 waits.
    if (number === 16) continue;
    const at = new Date(today - (nights + 1 - number) * dayMs + hour * 3600 * 1000);
    const expected = changes[number] ?? 'reused';
    const startedAt = Date.now();
    prepare(number);
    await backfill(at);
    const [skipped] = await Promise.all([number === 15 ? waitAndAnswer(client) : undefined, disturb(number)]);
    const result = await resultOf(client, `${nightScheduleId(world.night)}-${iso(at)}`);
    tell({ number, expected, result }, startedAt);
    if (skipped !== undefined) tell({ number: 16, expected: 'skipped', result: skipped }, startedAt);
  }
  return played;

  function tell(one: Played, startedAt: number): void {
    const { verdict, sentence, run } = one.result;
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
    console.log(`night ${one.number}: ${verdict} (${seconds} s) ${run ?? ''} ${sentence}`);
    played.push(one);
  }
}

/** What people did in the evening: new data, or a hand that slipped in the recipe. */
function prepare(number: number): void {
  const versions: Record<number, number> = { 5: 1, 15: 2, 22: 3 };
  const version = versions[number];
  if (version !== undefined) world.writeDataset(version);
  if (number === 9) world.writeRecipe(['epochs: 1', 'epochs: five']);
  if (number === 10 || number === 16) world.writeRecipe();
  if (number === 15) world.writeRecipe([usualCap, tinyCap]);
}

async function backfill(at: Date): Promise<void> {
  const [from, to] = [at.getTime() - 60_000, at.getTime() + 60_000].map((ms) => iso(new Date(ms)));
  await world.critic('schedule', 'backfill', world.night, '--from', from ?? '', '--to', to ?? '');
}

function iso(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** kill -9 in the middle of the night's work. */
async function disturb(number: number): Promise<void> {
  if (number === 5 || number === 22) {
    await untilJob(number === 5 ? 'sft' : 'grpo');
    await world.killAndRestart('worker', 3000);
    console.log(`night ${number}: the worker was killed with -9 and started anew`);
  }
}

/** The night waits at its cap; meanwhile another is asked for, which must be skipped. Then it is answered. Temporal dies soon after. */
async function waitAndAnswer(client: Client): Promise<NightResult> {
  const run = await untilRun(client, `CriticStatus = 'waiting'`);
  const asked = Date.now();
  console.log(await world.critic('schedule', 'trigger', world.night));
  const skipped = await untilOther(client, asked);
  world.writeRecipe();
  await world.critic('answer', run, 'synthesis', 'retry', '--budget', '1');
  await untilJob('sft');
  await world.killAndRestart('temporal', 3000);
  console.log('night 15: the Temporal server was killed with -9 and started anew');
  return skipped;
}

/** Until Slurm runs a job of this stage. */
async function untilJob(stage: JobStage): Promise<void> {
  await patiently(`a job of ${stage}`, async () => {
    const names = (await slurm('squeue', '-h', '--states=RUNNING', '-o', '%j')).split('\n');
    return names.some((name) => parseAttemptName(name)?.stage === stage) ? stage : undefined;
  });
}

async function untilRun(client: Client, condition: string): Promise<string> {
  return patiently(condition, async () => {
    const query = `WorkflowType = 'trainCritic' AND ExecutionStatus = 'Running' AND ${condition}`;
    for await (const { workflowId } of client.workflow.list({ query })) return workflowId;
    return undefined;
  });
}

/** The result of the night that was begun by hand after this time. */
async function untilOther(client: Client, since: number): Promise<NightResult> {
  const query = `WorkflowType = 'runNight' AND StartTime >= '${new Date(since - 1000).toISOString()}'`;
  const workflow = await patiently('a night that was asked for', async () => {
    for await (const info of client.workflow.list({ query })) return info.workflowId;
    return undefined;
  });
  return resultOf(client, workflow);
}

/** A restarted server refuses connections for some seconds. */
async function resultOf(client: Client, workflow: string): Promise<NightResult> {
  return patiently(`the end of ${workflow}`, async () => {
    const handle = client.workflow.getHandle<typeof runNight>(workflow);
    const { status } = await handle.describe();
    return status.name === 'RUNNING' ? undefined : handle.result();
  });
}

async function patiently<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  let why = '';
  for (const until = Date.now() + patienceMs; Date.now() < until; await sleep(300)) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
  }
  throw new Error(`did not see ${what} within ${patienceMs / 1000} s ${why}`);
}

async function printCounts(played: readonly Played[]): Promise<void> {
  // The outbox brings the last ones within a minute.
  if (played.length > 0) await sleep(60_000);
  const told = existsSync(world.channelFile) ? readFileSync(world.channelFile, 'utf8').trim().split('\n') : [];
  const counts = await countMonth();
  const { lines, faults } = verdictOn(played, counts, told);
  for (const line of lines) console.log(line);
  for (const fault of faults) console.log(`FAULT: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}

await main();
