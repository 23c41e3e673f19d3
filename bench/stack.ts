/** The stack that the benches measure on: the local one as `critic local up` starts it, with its own state and ports. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { slurmEnv } from '../infra/local/slurm-services.ts';
import { folders, port, type StackConfig, stackConfig } from '../infra/local/stack-config.ts';

const run = promisify(execFile);
const base = stackConfig();

export const config: StackConfig = { ...base, state: `${base.state}-bench`, portBase: base.portBase + 3_000 };
export const where = folders(config);
export const temporalAddress = `127.0.0.1:${port(config, 'temporal')}`;

/** Runs one of Slurm's own programs as root. */
export async function slurm(program: string, ...args: string[]): Promise<string> {
  return (await run(program, args, { env: slurmEnv(config) })).stdout.trim();
}

/** Replaces a line of slurm.conf (`key=…`), or deletes it (null), and has the controller read it again. */
export async function reconfigure(key: string, value: string | null): Promise<void> {
  const path = join(where.slurm, 'slurm.conf');
  const line = value === null ? '' : `${key}=${value}\n`;
  writeFileSync(path, readFileSync(path, 'utf8').replace(new RegExp(`^${key}=.*\n`, 'm'), line));
  await slurm('scontrol', 'reconfigure');
}

/** What slurmd sends by itself, for every job alike, and what the bench asks. Everything else is a client's request. */
const notClients = /^(MESSAGE_|REQUEST_COMPLETE_|REQUEST_STEP_COMPLETE|REQUEST_PERSIST_INIT|REQUEST_STATS_INFO)/;

/** Requests that clients have sent to slurmctld so far, by message type, as `sdiag` counts them. */
export async function clientRpcs(): Promise<Map<string, number>> {
  const text = await slurm('sdiag');
  const section = /statistics by message type\n([\s\S]*?)\n\n/.exec(text)?.[1] ?? '';
  const rows = [...section.matchAll(/^\s*(\w+)\s*\(\s*\d+\)\s*count:(\d+)/gm)];
  return new Map(
    rows
      .map(([, name = '', count]): [string, number] => [name, Number(count)])
      .filter(([name]) => !notClients.test(name)),
  );
}

/** What came in between two counts; only what grew. */
export function rpcsBetween(before: Map<string, number>, after: Map<string, number>): Map<string, number> {
  const grown = [...after].map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)]);
  return new Map(grown.filter(([, count]) => count > 0));
}
