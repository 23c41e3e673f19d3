/**
 * bench/handover: what our durability costs between two jobs. Four chained `sleep 15` jobs by our workflow and by a bare
 * `sbatch --dependency=afterok` chain, on the same Slurm, interleaved; wall seconds, their ratio, and what clients asked
 * slurmctld meanwhile.
 *
 * Environment: HANDOVER_REPETITIONS (2), HANDOVER_SECONDS (15), HANDOVER_SCHEDULER (`default` takes the stack's
 * SchedulerParameters away, so that Slurm's own defaults are measured).
 */
import { Client, Connection } from '@temporalio/client';
import { down, up } from '../../infra/local/stack.ts';
import { clientRpcs, config, reconfigure, rpcsBetween, temporalAddress } from '../stack.ts';
import { bare, installTrainer, jobs, ours } from './chains.ts';

const repetitions = Number(process.env['HANDOVER_REPETITIONS'] ?? 2);
const seconds = Number(process.env['HANDOVER_SECONDS'] ?? 15);
const scheduler = process.env['HANDOVER_SCHEDULER'] ?? 'stack';

interface Measured {
  chain: string;
  wall: number;
  rpcs: Map<string, number>;
}

async function main(): Promise<void> {
  await up(config, () => undefined);
  try {
    if (scheduler === 'default') await reconfigure('SchedulerParameters', null);
    const connection = await Connection.connect({ address: temporalAddress });
    const client = new Client({ connection });
    const trainer = installTrainer();
    const stamp = Date.now().toString(36);
    const measured: Measured[] = [];
    for (let repetition = 1; repetition <= repetitions; repetition += 1) {
      const name = (chain: string) => `${chain}-${stamp}-${repetition}`;
      const chains = [
        () => measure('ours', () => ours(client, trainer, name('ours'), seconds)),
        () => measure('bare', () => bare(name('bare'), seconds)),
      ];
      // Who goes first changes, so that neither always finds the machine as the other left it.
      for (const chain of repetition % 2 === 0 ? chains.toReversed() : chains) measured.push(await chain());
    }
    await connection.close();
    report(measured);
  } finally {
    await down(config, () => undefined);
  }
}

async function measure(chain: string, run: () => Promise<number>): Promise<Measured> {
  const before = await clientRpcs();
  const wall = await run();
  const rpcs = rpcsBetween(before, await clientRpcs());
  console.log(`${chain}: ${wall.toFixed(1)} s, ${total(rpcs)} controller RPCs (${describe(rpcs)})`);
  return { chain, wall, rpcs };
}

function report(measured: Measured[]): void {
  const of = (chain: string) => measured.filter((one) => one.chain === chain);
  const mean = (chain: string, value: (one: Measured) => number) =>
    of(chain).reduce((sum, one) => sum + value(one), 0) / of(chain).length;
  const wall = (one: Measured) => one.wall;
  const rpcs = (one: Measured) => total(one.rpcs);
  console.log(`\n${jobs} x sleep ${seconds}, ${repetitions} repetitions, scheduler settings: ${scheduler}`);
  for (const chain of ['bare', 'ours']) {
    console.log(
      `${chain}: mean ${mean(chain, wall).toFixed(1)} s, ${mean(chain, rpcs).toFixed(1)} controller RPCs per chain`,
    );
  }
  console.log(
    `ratio ours / bare: ${(mean('ours', wall) / mean('bare', wall)).toFixed(3)} (goal: at most 1.05, at most 16 RPCs)`,
  );
}

function total(rpcs: Map<string, number>): number {
  return [...rpcs.values()].reduce((sum, count) => sum + count, 0);
}

function describe(rpcs: Map<string, number>): string {
  return [...rpcs].map(([name, count]) => `${name} ${count}`).join(', ');
}

await main();
