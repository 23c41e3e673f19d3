/**
 * Slurm's services, in starting order: munge, MariaDB, slurmdbd, slurmctld, slurmd, slurmrestd. They run from this machine's
 * packages, or from another Debian release in a folder of its own (`config.slurm.root`).
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Service } from './service.ts';
import { nodes } from './slurm-files.ts';
import { execute, identity, launchAs, systemPath as path } from './slurm-root.ts';
import { folders, port, type StackConfig, users } from './stack-config.ts';

export function slurmServices(config: StackConfig): Service[] {
  return [
    munge(config),
    database(config),
    slurmdbd(config),
    slurmctld(config),
    ...nodes.map((node) => slurmd(config, node)),
    slurmrestd(config),
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
      ...launchAs(config, [
        '/usr/sbin/munged',
        '--foreground',
        '--force',
        `--key-file=${join(where.slurm, 'munge.key')}`,
        `--socket=${socket}`,
        `--pid-file=${join(where.run, 'munged.pid')}`,
        `--seed-file=${join(where.slurm, 'munge.seed')}`,
        `--log-file=${join(where.logs, 'munged.log')}`,
      ]),
      env: { PATH: path },
      cwd: '/',
    }),
    ready: async () => void (await execute(config, ['/usr/bin/munge', '-n', '-S', socket], { PATH: path })),
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
      ...launchAs(
        config,
        [
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
        identity(config, users.database),
      ),
      env: { PATH: path },
      cwd: '/',
    }),
    ready: async () => {
      const sql = `CREATE DATABASE IF NOT EXISTS slurm_acct; CREATE USER IF NOT EXISTS '${users.slurm}'@'localhost' IDENTIFIED VIA unix_socket; GRANT ALL ON slurm_acct.* TO '${users.slurm}'@'localhost';`;
      const client = ['--no-defaults', `--socket=${socket}`, '--user=root', '-e', sql];
      await execute(config, ['/usr/bin/mariadb', ...client], { PATH: path });
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
    launch: () => ({
      ...launchAs(config, ['/usr/sbin/slurmdbd', '-D'], identity(config, users.slurm)),
      env,
      cwd: where.slurm,
    }),
    ready: async () => {
      await account(config, ['cluster', 'critic-local']);
      await account(config, ['account', 'critic', 'cluster=critic-local']);
      for (const user of [users.job, 'root'])
        await account(config, ['user', user, 'account=critic', 'cluster=critic-local']);
    },
  };
}

/** `sacctmgr add` says "already exists" with exit code 1, so a look afterwards decides. */
async function account(config: StackConfig, what: [string, string, ...string[]]): Promise<void> {
  const [kind, name] = what;
  const sacctmgr = (args: string[]) => execute(config, ['/usr/bin/sacctmgr', ...args], slurmEnv(config));
  if ((await sacctmgr(['-n', '-P', 'list', kind, name])).trim() !== '') return;
  await sacctmgr(['-i', 'add', ...what]);
}

function slurmctld(config: StackConfig): Service {
  const where = folders(config);
  return {
    name: 'slurmctld',
    after: ['slurmdbd'],
    port: port(config, 'slurmctld'),
    deadlineSeconds: 30,
    launch: () => ({
      ...launchAs(config, ['/usr/sbin/slurmctld', '-D'], identity(config, users.slurm)),
      env: slurmEnv(config),
      cwd: where.slurm,
    }),
    ready: async () => void (await execute(config, ['/usr/bin/scontrol', 'show', 'config'], slurmEnv(config))),
  };
}

function slurmd(config: StackConfig, node: string): Service {
  const where = folders(config);
  return {
    name: `slurmd-${node}`,
    after: ['slurmctld'],
    port: port(config, 'slurmd') + nodes.findIndex((one) => one === node),
    deadlineSeconds: 30,
    launch: () => ({
      ...launchAs(config, ['/usr/sbin/slurmd', '-D', '-N', node]),
      env: slurmEnv(config),
      cwd: where.slurm,
    }),
    ready: async () => {
      const env = slurmEnv(config);
      const state = (await execute(config, ['/usr/bin/sinfo', '-h', '-N', '-n', node, '-o', '%T'], env)).trim();
      if (['idle', 'mixed', 'allocated', 'completing'].includes(state)) return;
      if (/^(down|drained|draining)/.test(state)) {
        await execute(config, ['/usr/bin/scontrol', 'update', `nodename=${node}`, 'state=resume'], env);
      }
      throw new Error(`node ${node} is ${state}`);
    },
  };
}

function slurmrestd(config: StackConfig): Service {
  const address = `127.0.0.1:${port(config, 'slurmrestd')}`;
  const plugins = config.slurm?.restPlugins ?? ['-s', 'openapi/v0.0.38,openapi/dbv0.0.38'];
  return {
    name: 'slurmrestd',
    after: ['slurmctld'],
    port: port(config, 'slurmrestd'),
    deadlineSeconds: 20,
    launch: () => ({
      ...launchAs(
        config,
        ['/usr/sbin/slurmrestd', '-a', 'rest_auth/jwt', ...plugins, address],
        identity(config, users.rest),
      ),
      env: { ...slurmEnv(config), SLURM_JWT: 'daemon' },
      cwd: '/',
    }),
    ready: () => portAnswers(port(config, 'slurmrestd')),
  };
}

export function slurmEnv(config: StackConfig): Record<string, string> {
  return { PATH: path, SLURM_CONF: join(folders(config).slurm, 'slurm.conf') };
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
