/** Prepare: users, folders, keys and configuration files of a stack, before anything starts. Idempotent. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gresConf, gpusPerNode, nodes, slurmConf, slurmdbdConf } from './slurm-files.ts';
import { identity, type Owner, systemPath, within } from './slurm-root.ts';
import { folders, localEnvironment, type StackConfig, users } from './stack-config.ts';

export function prepare(config: StackConfig): void {
  if (process.getuid?.() !== 0) {
    throw new Error('the local stack needs root (Slurm switches users): run it as root, or with sudo');
  }
  ensureUser(config, users.rest);
  ensureUser(config, users.job);
  if (config.slurm?.whole === true) shareIds(config, users.job);
  const where = folders(config);
  const owners = {
    slurm: identity(config, users.slurm),
    database: identity(config, users.database),
    job: identity(config, users.job),
  };
  for (const folder of [config.state, where.local, where.logs, where.pids, where.run, where.slurm, where.datasets]) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }
  chmodSync(where.run, 0o777); // servers of four users put their sockets here
  for (const folder of [join(where.slurm, 'ctld'), join(where.slurm, 'home')]) owned(folder, owners.slurm);
  for (const node of nodes) mkdirSync(join(where.slurm, `spool-${node}`), { recursive: true, mode: 0o755 });
  prepareStore(where.store, owners.job.gid);
  devices(join(where.slurm, 'devices'));
  key(join(where.slurm, 'munge.key'), 64, { uid: 0, gid: 0 });
  key(join(where.slurm, 'jwt.key'), 32, owners.slurm);
  key(where.teacherKey, 24, { uid: 0, gid: 0 }, 'hex');
  file(join(where.slurm, 'slurm.conf'), slurmConf(config), 0o644);
  file(join(where.slurm, 'gres.conf'), gresConf(config), 0o644);
  // 22.05 does not know this key. Later releases need it if no cgroup file system is mounted.
  if (config.slurm !== undefined) file(join(where.slurm, 'cgroup.conf'), 'CgroupPlugin=disabled\n', 0o644);
  file(join(where.slurm, 'slurmdbd.conf'), slurmdbdConf(config), 0o600, owners.slurm);
  file(where.env, `${JSON.stringify(localEnvironment(config), null, 2)}\n`, 0o600);
  database(config, owners.database);
}

/** The job user's group may read what the worker (root) puts into the store: folders pass their group on (setgid). */
function prepareStore(store: string, gid: number): void {
  mkdirSync(store, { recursive: true });
  chownSync(store, 0, gid);
  chmodSync(store, 0o2750);
}

function ensureUser(config: StackConfig, name: string): void {
  try {
    identity(config, name);
  } catch {
    // there is no such user yet
    const options = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'];
    run(config, ['/usr/sbin/useradd', ...options, '--shell', '/usr/sbin/nologin', name]);
  }
}

/**
 * Worker and nodes give the jobs' user one number, as on a cluster: another release of Slurm has a list of users of its own,
 * and the worker hands it the attempts' folders.
 */
function shareIds(config: StackConfig, name: string): void {
  const { slurm: _, ...here } = config;
  ensureUser(here, name);
  const { uid, gid } = identity(here, name);
  const there = identity(config, name);
  if (there.uid === uid && there.gid === gid) return;
  run(config, ['/usr/sbin/groupmod', '--gid', String(gid), name]);
  run(config, ['/usr/sbin/usermod', '--uid', String(uid), '--gid', String(gid), name]);
}

function run(config: StackConfig, argv: [string, ...string[]]): void {
  const [command, ...args] = within(config, argv);
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: systemPath } });
}

function owned(folder: string, owner: Owner): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chownSync(folder, owner.uid, owner.gid);
}

/** Character devices like /dev/null. slurmd only wants a GPU's device file to exist. */
function devices(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < gpusPerNode; index += 1) {
    const path = join(folder, `nvidia${index}`);
    if (!existsSync(path)) execFileSync('mknod', ['-m', '666', path, 'c', '1', '3']);
  }
}

function key(path: string, bytes: number, owner: Owner, encoding?: 'hex'): void {
  if (existsSync(path)) return;
  const random = randomBytes(bytes);
  file(path, encoding === undefined ? random : random.toString(encoding), 0o600, owner);
}

function file(path: string, content: string | Buffer, mode: number, owner?: Owner): void {
  const temporary = `${path}.tmp`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, content, { mode });
  chmodSync(temporary, mode);
  if (owner !== undefined) chownSync(temporary, owner.uid, owner.gid);
  renameSync(temporary, path);
}

function database(config: StackConfig, owner: Owner): void {
  const where = folders(config);
  if (existsSync(join(where.database, 'critic-ready'))) return;
  rmSync(where.database, { recursive: true, force: true });
  owned(where.database, owner);
  run(config, [
    '/usr/bin/mariadb-install-db',
    '--no-defaults',
    `--datadir=${where.database}`,
    `--user=${users.database}`,
    '--auth-root-authentication-method=socket',
    '--skip-test-db',
  ]);
  writeFileSync(join(where.database, 'critic-ready'), '');
}
