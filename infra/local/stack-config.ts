/**
 * Stack config: where one local stack lives: folders, ports, users. A second stack (for tests) differs only in
 * state and port base. The environment is read once, and everything else gets the result.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type SlurmRoot, within } from './slurm-root.ts';

export const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export interface StackConfig extends SlurmRoot {
  checkout: string;
  cache: string;
  portBase: number;
  /** Hostname as slurm wants it: without domain. */
  host: string;
  /** For tests: the worker sees the store as over a network file system that remembers for so long. */
  staleSeconds?: number;
  /** Where engines are that have an environment of their own (`CRITIC_ENVIRONMENTS_FILE` of the worker). */
  environmentsFile?: string;
  /** Limits of jobs (`CRITIC_LIMITS_FILE` of the worker). */
  limitsFile?: string;
  /** Where people are told (`CRITIC_CHANNELS_FILE` of the worker). */
  channelsFile?: string;
  /** Name of the cluster that this stack is (`CRITIC_CLUSTER` of the worker). */
  cluster?: string;
  /** `host:port` of another stack's Temporal, which this one's worker serves. The stack has none of its own then. */
  sharedTemporal?: string;
}

/** Users that own what runs: Debian's for slurm and mysql, ours for slurmrestd and for jobs. */
export const users = { slurm: 'slurm', database: 'mysql', rest: 'critic-rest', job: 'critic' } as const;

/** Offsets from the port base. slurmd-0 and slurmd-1 take two in a row. */
const offsets = {
  temporal: 233,
  temporalUi: 234,
  temporalMetrics: 235,
  slurmctld: 817,
  slurmd: 818,
  slurmdbd: 822,
  slurmrestd: 820,
  teacher: 800,
  database: 806,
  pages: 842,
} as const;

export function port(config: StackConfig, name: keyof typeof offsets): number {
  return config.portBase + offsets[name];
}

/** From CRITIC_STATE, CRITIC_CACHE, CRITIC_PORT_BASE and the worker's files; defaults for root and for others. */
export function stackConfig(env: NodeJS.ProcessEnv = process.env): StackConfig {
  const root = process.getuid?.() === 0;
  const base = Number(env.CRITIC_PORT_BASE ?? 17_000);
  if (!Number.isInteger(base) || base < 1024 || base > 64_000) {
    throw new Error(
      `CRITIC_PORT_BASE: expected a whole number from 1024 to 64000, got "${env.CRITIC_PORT_BASE ?? ''}"`,
    );
  }
  const stale = Number(env.CRITIC_STALE_SECONDS ?? 0);
  return {
    ...(stale > 0 ? { staleSeconds: stale } : {}),
    ...(env.CRITIC_ENVIRONMENTS_FILE === undefined ? {} : { environmentsFile: env.CRITIC_ENVIRONMENTS_FILE }),
    ...(env.CRITIC_LIMITS_FILE === undefined ? {} : { limitsFile: env.CRITIC_LIMITS_FILE }),
    ...(env.CRITIC_CHANNELS_FILE === undefined ? {} : { channelsFile: env.CRITIC_CHANNELS_FILE }),
    ...(env.CRITIC_CLUSTER === undefined ? {} : { cluster: env.CRITIC_CLUSTER }),
    ...(env.CRITIC_LOCAL_TEMPORAL === undefined ? {} : { sharedTemporal: env.CRITIC_LOCAL_TEMPORAL }),
    checkout,
    cache: env.CRITIC_CACHE ?? (root ? '/var/cache/critic' : join(homedir(), '.cache/critic')),
    state: env.CRITIC_STATE ?? (root ? '/var/lib/critic' : join(homedir(), '.local/state/critic')),
    portBase: base,
    host: execFileSync('hostname', ['-s'], { encoding: 'utf8' }).trim(),
  };
}

/** Folders of a stack. Unix socket paths end at about 100 characters, so `run` is short. */
export function folders(config: StackConfig) {
  const local = join(config.state, 'local');
  return {
    local,
    logs: join(local, 'logs'),
    pids: join(local, 'pids'),
    run: join(local, 'run'),
    slurm: join(local, 'slurm'),
    database: join(local, 'mysql'),
    store: join(config.state, 'store'),
    datasets: join(config.state, 'datasets'),
    env: join(local, 'env.json'),
    workerReady: join(local, 'worker.ready'),
    teacherKey: join(local, 'teacher.key'),
  } as const;
}

/** Folder of the Python environment: named by its requirements, so that a change builds a new one. */
export function pythonEnvironment(config: StackConfig): string {
  const text = readFileSync(join(config.checkout, 'trainer/requirements.txt'));
  return join(config.cache, 'python', createHash('sha256').update(text).digest('hex').slice(0, 12));
}

/** argv that prints a token of the job user for half an hour, as `scontrol token` does. */
export function tokenCommand(config: StackConfig): string[] {
  const conf = `SLURM_CONF=${join(folders(config).slurm, 'slurm.conf')}`;
  return within(config, ['/usr/bin/env', conf, 'scontrol', 'token', `username=${users.job}`, 'lifespan=1800']);
}

/** Environment of worker and CLI: addresses and paths, never a secret's value. */
export function localEnvironment(config: StackConfig): Record<string, string> {
  const where = folders(config);
  const slurmConf = join(where.slurm, 'slurm.conf');
  return {
    CRITIC_TEMPORAL_ADDRESS: config.sharedTemporal ?? `127.0.0.1:${port(config, 'temporal')}`,
    CRITIC_TEMPORAL_NAMESPACE: 'default',
    ...(config.sharedTemporal === undefined
      ? { CRITIC_TEMPORAL_UI: `http://127.0.0.1:${port(config, 'temporalUi')}` }
      : {}),
    CRITIC_PAGES_URL: `http://127.0.0.1:${port(config, 'pages')}`,
    CRITIC_SLURM_URL: `http://127.0.0.1:${port(config, 'slurmrestd')}`,
    CRITIC_SLURM_USER: users.job,
    CRITIC_SLURM_TOKEN_COMMAND: JSON.stringify(tokenCommand(config)),
    CRITIC_STORE: where.store,
    CRITIC_PYTHON: join(pythonEnvironment(config), 'bin/python'),
    CRITIC_TRAINER_SOURCE: join(config.checkout, 'trainer'),
    CRITIC_JOB_SCRIPT: join(config.checkout, 'infra/sbatch/job.sh'),
    CRITIC_JOB_USER: users.job,
    CRITIC_LLM_BASE_URL: `http://127.0.0.1:${port(config, 'teacher')}/v1`,
    CRITIC_LLM_API_KEY_FILE: where.teacherKey,
    SLURM_CONF: slurmConf,
    ...(config.environmentsFile === undefined ? {} : { CRITIC_ENVIRONMENTS_FILE: config.environmentsFile }),
    ...(config.limitsFile === undefined ? {} : { CRITIC_LIMITS_FILE: config.limitsFile }),
    ...(config.channelsFile === undefined ? {} : { CRITIC_CHANNELS_FILE: config.channelsFile }),
    ...(config.cluster === undefined ? {} : { CRITIC_CLUSTER: config.cluster }),
  };
}
