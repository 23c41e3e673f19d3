/**
 * Services: what a local stack consists of, in starting order: how each is launched, when it is ready, what it needs.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Launch } from './processes.ts';
import { nodes } from './slurm-files.ts';
import { folders, localEnvironment, port, pythonEnvironment, type StackConfig, users } from './stack-config.ts';
import { temporalBinary } from './temporal-binary.ts';

const run = promisify(execFile);
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Service {
  name: string;
  /** Names of services that must be ready before. */
  after: string[];
  /** TCP port, for the status table. */
  port?: number;
  launch(): Omit<Launch, 'log' | 'fingerprint'>;
  /** Throws until the service is ready. */
  ready(): Promise<void>;
  deadlineSeconds: number;
}

export function services(config: StackConfig): Service[] {
  return [
    munge(config),
    database(config),
    slurmdbd(config),
    slurmctld(config),
    ...nodes.map((node) => slurmd(config, node)),
    slurmrestd(config),
    temporal(config),
    teacher(config),
    worker(config),
  ];
}

function munge(config: StackConfig): Service {
  const where = folders(config);
  const socket = join(where.run, 'munge.socket');
  return {
    name: 'munge',
    after: [],
    deadlineSeconds: 10,
    launch: () => ({
      argv: [
        '/usr/sbin/munged',
        '--foreground',
        '--force',
        `--key-file=${join(where.slurm, 'munge.key')}`,
        `--socket=${socket}`,
        `--pid-file=${join(where.run, 'munged.pid')}`,
        `--seed-file=${join(where.slurm, 'munge.seed')}`,
        `--log-file=${join(where.logs, 'munged.log')}`,
      ],
      env: { PATH: path },
      cwd: '/',
    }),
    ready: async () => void (await run('munge', ['-n', '-S', socket])),
  };
}

function database(config: StackConfig): Service {
  const where = folders(config);
  const socket = join(where.run, 'mysql.sock');
  return {
    name: 'database',
    after: [],
    deadlineSeconds: 30,
    launch: () => ({
      argv: [
        '/usr/sbin/mariadbd',
        '--no-defaults',
        `--datadir=${where.database}`,
        `--socket=${socket}`,
        '--skip-networking',
        `--pid-file=${join(where.run, 'mysql.pid')}`,
        '--innodb-buffer-pool-size=64M',
        '--innodb-lock-wait-timeout=900',
        '--performance-schema=off',
      ],
      env: { PATH: path },
      cwd: '/',
      ...identity(users.database),
    }),
    ready: async () => {
      const sql = `CREATE DATABASE IF NOT EXISTS slurm_acct; CREATE USER IF NOT EXISTS '${users.slurm}'@'localhost' IDENTIFIED VIA unix_socket; GRANT ALL ON slurm_acct.* TO '${users.slurm}'@'localhost';`;
      await run('mariadb', ['--no-defaults', `--socket=${socket}`, '--user=root', '-e', sql]);
    },
  };
}

function slurmdbd(config: StackConfig): Service {
  const where = folders(config);
  const env = { ...slurmEnv(config), MYSQL_UNIX_PORT: join(where.run, 'mysql.sock') };
  return {
    name: 'slurmdbd',
    after: ['munge', 'database'],
    port: port(config, 'slurmdbd'),
    deadlineSeconds: 60,
    launch: () => ({ argv: ['/usr/sbin/slurmdbd', '-D'], env, cwd: where.slurm, ...identity(users.slurm) }),
    ready: async () => {
      await run('sacctmgr', ['-n', 'list', 'cluster'], { env });
      await account(env, ['cluster', 'critic-local']);
      await account(env, ['account', 'critic', 'cluster=critic-local']);
      for (const user of [users.job, 'root'])
        await account(env, ['user', user, 'account=critic', 'cluster=critic-local']);
    },
  };
}

/** `sacctmgr add` says "already exists" with exit code 1: a look afterwards tells. */
async function account(env: Record<string, string>, what: [string, string, ...string[]]): Promise<void> {
  const [kind, name] = what;
  const exists = async () => (await run('sacctmgr', ['-n', '-P', 'list', kind, name], { env })).stdout.trim() !== '';
  if (await exists()) return;
  await run('sacctmgr', ['-i', 'add', ...what], { env });
}

function slurmctld(config: StackConfig): Service {
  const where = folders(config);
  return {
    name: 'slurmctld',
    after: ['slurmdbd'],
    port: port(config, 'slurmctld'),
    deadlineSeconds: 30,
    launch: () => ({
      argv: ['/usr/sbin/slurmctld', '-D'],
      env: slurmEnv(config),
      cwd: where.slurm,
      ...identity(users.slurm),
    }),
    ready: async () => void (await run('scontrol', ['show', 'config'], { env: slurmEnv(config) })),
  };
}

function slurmd(config: StackConfig, node: string): Service {
  const where = folders(config);
  return {
    name: `slurmd-${node}`,
    after: ['slurmctld'],
    port: port(config, 'slurmd') + nodes.findIndex((one) => one === node),
    deadlineSeconds: 30,
    launch: () => ({ argv: ['/usr/sbin/slurmd', '-D', '-N', node], env: slurmEnv(config), cwd: where.slurm }),
    ready: async () => {
      const { stdout } = await run('sinfo', ['-h', '-N', '-n', node, '-o', '%T'], { env: slurmEnv(config) });
      const state = stdout.trim();
      if (['idle', 'mixed', 'allocated', 'completing'].includes(state)) return;
      if (/^(down|drained|draining)/.test(state)) {
        await run('scontrol', ['update', `nodename=${node}`, 'state=resume'], { env: slurmEnv(config) });
      }
      throw new Error(`node ${node} is ${state}`);
    },
  };
}

function slurmrestd(config: StackConfig): Service {
  const address = `127.0.0.1:${port(config, 'slurmrestd')}`;
  return {
    name: 'slurmrestd',
    after: ['slurmctld'],
    port: port(config, 'slurmrestd'),
    deadlineSeconds: 20,
    launch: () => ({
      argv: ['/usr/sbin/slurmrestd', '-a', 'rest_auth/jwt', '-s', 'openapi/v0.0.38,openapi/dbv0.0.38', address],
      env: { ...slurmEnv(config), SLURM_JWT: 'daemon' },
      cwd: '/',
      ...identity(users.rest),
    }),
    ready: () => portAnswers(port(config, 'slurmrestd')),
  };
}

function temporal(config: StackConfig): Service {
  const where = folders(config);
  const address = port(config, 'temporal');
  return {
    name: 'temporal',
    after: [],
    port: address,
    deadlineSeconds: 60,
    launch: () => ({
      argv: [
        temporalBinary(config),
        'server',
        'start-dev',
        '--ip',
        '127.0.0.1',
        '--port',
        String(address),
        '--ui-port',
        String(port(config, 'temporalUi')),
        '--metrics-port',
        String(port(config, 'temporalMetrics')),
        '--db-filename',
        join(where.local, 'temporal.db'),
        '--log-level',
        'error',
      ],
      env: { PATH: path, HOME: where.local },
      cwd: where.local,
    }),
    ready: async () => {
      const { registerSearchAttributes } = await import('./search-attributes.ts');
      await registerSearchAttributes(`127.0.0.1:${address}`);
    },
  };
}

function teacher(config: StackConfig): Service {
  const where = folders(config);
  return {
    name: 'teacher',
    after: [],
    port: port(config, 'teacher'),
    deadlineSeconds: 30,
    launch: () => ({
      argv: [
        join(pythonEnvironment(config), 'bin/python'),
        '-m',
        'teacher',
        '--host',
        '127.0.0.1',
        '--port',
        String(port(config, 'teacher')),
        '--key-file',
        where.teacherKey,
      ],
      env: {
        PATH: path,
        PYTHONPATH: `${join(config.checkout, 'trainer')}:${join(config.checkout, 'infra/local')}`,
        OMP_NUM_THREADS: '1',
        PYTHONDONTWRITEBYTECODE: '1',
      },
      cwd: where.local,
    }),
    ready: async () => {
      const answer = await fetch(`http://127.0.0.1:${port(config, 'teacher')}/healthz`);
      if (!answer.ok) throw new Error(`healthz answered ${answer.status}`);
    },
  };
}

function worker(config: StackConfig): Service {
  const where = folders(config);
  return {
    name: 'worker',
    after: ['temporal', 'slurmrestd', 'teacher', ...nodes.map((node) => `slurmd-${node}`)],
    deadlineSeconds: 60,
    launch: () => ({
      argv: [process.execPath, join(config.checkout, 'workers/main.ts')],
      env: { PATH: path, HOME: where.local, ...localEnvironment(config), CRITIC_READY_FILE: where.workerReady },
      cwd: config.checkout,
    }),
    ready: async () => {
      const record: unknown = JSON.parse(readFileSync(join(where.pids, 'worker.json'), 'utf8'));
      const pid = typeof record === 'object' && record !== null && 'pid' in record ? record.pid : undefined;
      if (!existsSync(where.workerReady) || readFileSync(where.workerReady, 'utf8').trim() !== String(pid)) {
        throw new Error('the worker has not said that it is ready');
      }
    },
  };
}

export function slurmEnv(config: StackConfig): Record<string, string> {
  return { PATH: path, SLURM_CONF: join(folders(config).slurm, 'slurm.conf') };
}

/** uid and gid of a system user. */
export function identity(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function portAnswers(number: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(number, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
