/**
 * Releases of Slurm that slurm-rest-client is tested against, beside this machine's own (22.05 of Debian 12). Each is from another
 * Debian release and has a folder of its own. A further release is one more line of the list.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StackConfig } from './stack-config.ts';

interface Release {
  release: string;
  /** Debian's name of the distribution that has it. */
  suite: string;
  /** Arguments that load slurmrestd's plugins. */
  restPlugins: string[];
  /** Every API version that it serves and the client speaks. Each is tested. */
  apiVersions: string[];
}

export const slurmReleases: Release[] = [
  {
    release: '24.11',
    suite: 'trixie',
    restPlugins: ['-s', 'slurmctld,slurmdbd', '-d', 'v0.0.40,v0.0.41,v0.0.42'],
    apiVersions: ['v0.0.42', 'v0.0.41', 'v0.0.40'],
  },
  // Debian's unstable moves on: a machine that installs it later may get a later release.
  {
    release: '26.05',
    suite: 'sid',
    restPlugins: ['-s', 'slurmctld,slurmdbd', '-d', 'v0.0.42,v0.0.43,v0.0.44,v0.0.45'],
    apiVersions: ['v0.0.45', 'v0.0.44', 'v0.0.43', 'v0.0.42'],
  },
];

const packages = [
  'slurmctld',
  'slurmd',
  'slurm-client',
  'slurmrestd',
  'slurmdbd',
  'slurm-wlm-jwt-plugin',
  'slurm-wlm-mysql-plugin',
  'munge',
  'mariadb-server',
  'passwd',
  // For the fault tests: their jobs are Python's, and one sets the cluster's clock.
  'python3',
  'libfaketime',
];

/** The stack of the `index`-th release: Slurm only, with state and ports of its own. */
export function releaseStack(config: StackConfig, index: number): StackConfig {
  const { release, restPlugins } = found(index);
  return {
    ...config,
    state: `${config.state}-${release}`,
    portBase: config.portBase + 1000 * (index + 1),
    slurm: { root: rootOf(config, release), restPlugins },
  };
}

/**
 * `config` with all that a stack has, on the Slurm of this release (`26.05`). Throws if it is not in the list or not installed, or
 * was installed before the fault tests needed Python in it.
 */
export function onRelease(config: StackConfig, release: string): StackConfig {
  const index = slurmReleases.findIndex((one) => one.release === release);
  const { restPlugins } = found(index);
  const root = rootOf(config, release);
  if (!existsSync(join(root, 'usr/bin/python3'))) {
    throw new Error(`Slurm ${release} with Python is not in ${root}: delete that folder, then npm test installs it`);
  }
  return { ...config, slurm: { root, restPlugins, whole: true } };
}

type Run = (command: string, args: string[]) => Promise<void>;

/** Installs what is missing, beside its final name, so an interrupted installation is never taken for a complete one. */
export async function installRelease(config: StackConfig, index: number, run: Run): Promise<void> {
  const { release, suite } = found(index);
  const root = rootOf(config, release);
  if (existsSync(root)) return;
  rmSync(`${root}.part`, { recursive: true, force: true });
  const include = `--include=${packages.join(',')}`;
  await run('debootstrap', ['--variant=minbase', include, suite, `${root}.part`, mirror()]);
  renameSync(`${root}.part`, root);
}

export function isInstalled(config: StackConfig, index: number): boolean {
  return existsSync(rootOf(config, found(index).release));
}

/** Debian's mirror that this machine uses, from apt's sources. Throws if there is none. */
function mirror(): string {
  for (const path of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    if (!existsSync(path)) continue;
    const address = /^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(\S+\/debian)\/?(?=\s|$)/m.exec(readFileSync(path, 'utf8'));
    if (address?.[1] !== undefined) return address[1];
  }
  throw new Error('no Debian mirror in /etc/apt: expected one in sources.list.d/debian.sources or sources.list');
}

function rootOf(config: StackConfig, release: string): string {
  return join(config.cache, `slurm-${release}`);
}

function found(index: number): Release {
  const one = slurmReleases[index];
  if (one === undefined) throw new Error(`expected a release from 0 to ${slurmReleases.length - 1}, got ${index}`);
  return one;
}
