/**
 * Where Slurm's programs come from: this machine's packages, or a folder that holds another Debian release
 * (`config.slurm.root`). There a program sees its own /proc, in a mount namespace of its own: nothing stays mounted.
 */
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What these functions need of a stack: its state folder, and the folder of another release if it has one. */
export interface SlurmRoot {
  state: string;
  /** Slurm of another release, from another folder; no Temporal and no worker unless `whole`. Absent: the whole stack. */
  slurm?: { root: string; restPlugins: string[]; whole?: boolean };
}

export interface Owner {
  uid: number;
  gid: number;
}

/** Makes the state folder. Another release sees its own folder as /, so the state is in there, and a link gives it the same path. */
export function makeState(config: SlurmRoot): void {
  const { state, slurm } = config;
  if (slurm === undefined) {
    mkdirSync(state, { recursive: true });
    return;
  }
  mkdirSync(join(slurm.root, state), { recursive: true });
  mkdirSync(dirname(state), { recursive: true });
  if (lstatSync(state, { throwIfNoEntry: false }) === undefined) symlinkSync(join(slurm.root, state), state);
  copyFileSync('/etc/hosts', join(slurm.root, 'etc/hosts'));
}

/** Deletes the state folder. For another release it deletes what the link points to. */
export function removeState({ state, slurm }: SlurmRoot): void {
  rmSync(slurm === undefined ? state : join(slurm.root, state), { recursive: true, force: true });
}

/** `argv` as it is, or wrapped so that it runs in the release's folder with the pid of whoever starts it. */
export function within(config: SlurmRoot, argv: [string, ...string[]], owner?: Owner): [string, ...string[]] {
  if (config.slurm === undefined) return argv;
  const user = owner === undefined ? [] : [`--setgid=${owner.gid}`, `--setuid=${owner.uid}`];
  return ['/usr/bin/unshare', '--mount', `--root=${config.slurm.root}`, '--mount-proc', ...user, ...argv];
}

/** How a service starts as `owner` (default: root): by the wrapper, or with uid and gid of the process itself. */
export function launchAs(config: SlurmRoot, argv: [string, ...string[]], owner?: Owner) {
  return { argv: within(config, argv, owner), ...(config.slurm === undefined ? owner : {}) };
}

/** Runs a program to its end as root. Returns its stdout; rejects unless it exits with 0. */
export async function execute(
  config: SlurmRoot,
  argv: [string, ...string[]],
  env: Record<string, string>,
  timeoutMs = 0,
): Promise<string> {
  const [command, ...args] = within(config, argv);
  return (await run(command, args, { env, timeout: timeoutMs })).stdout;
}

/** uid and gid of a system user, here or in the release's folder. Throws if there is none. */
export function identity(config: SlurmRoot, user: string): Owner {
  if (config.slurm === undefined) {
    const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  }
  const lines = readFileSync(join(config.slurm.root, 'etc/passwd'), 'utf8').split('\n');
  const fields = lines.find((line) => line.startsWith(`${user}:`))?.split(':');
  if (fields === undefined) throw new Error(`${config.slurm.root} has no user "${user}"`);
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}
