/** Processes of an attempt on this machine, where both nodes of the local Slurm are. Found by their environment, never by a name. */
import { readdir, readFile } from 'node:fs/promises';

export interface JobProcess {
  pid: number;
  /** Rank of the trainer that started it. */
  rank: number;
  arguments: string[];
  environment: string;
}

/** All that live: zombies have no environment. */
export async function processesOf(attempt: string): Promise<JobProcess[]> {
  const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(entries.map((name) => processOf(attempt, Number(name))));
  return found.filter((one) => one !== undefined);
}

async function processOf(attempt: string, pid: number): Promise<JobProcess | undefined> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const environment = await read('environ');
  const variables = environment.split('\0');
  if (!variables.includes(`CRITIC_ATTEMPT_DIR=${attempt}`)) return undefined;
  const rank = variables.find((one) => one.startsWith('SLURM_PROCID='))?.split('=')[1];
  return {
    pid,
    rank: Number(rank ?? 'NaN'),
    arguments: (await read('cmdline')).split('\0').filter(Boolean),
    environment,
  };
}

/** The trainer that srun started as this rank. */
export async function trainerOf(attempt: string, rank: number): Promise<number> {
  const all = await processesOf(attempt);
  const trainer = all.find((one) => one.rank === rank && one.arguments.slice(1).join(' ') === '-P -m critic_trainer');
  if (trainer === undefined) throw new Error(`no rank ${rank} of ${attempt} runs here`);
  return trainer.pid;
}
