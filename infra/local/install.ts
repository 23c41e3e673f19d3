/**
 * Install: what the stack needs beside npm packages: Debian packages, the Python environment, the Temporal server. Each is installed
 * once, side by side. If one can't be installed, one sentence says what to do.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installRelease, isInstalled, slurmReleases } from './slurm-releases.ts';
import type { Say } from './stack.ts';
import { pythonEnvironment, type StackConfig } from './stack-config.ts';
import { findTemporal, temporalVersion } from './temporal-binary.ts';

const debian = [
  'slurm-wlm',
  'slurmrestd',
  'slurm-wlm-jwt-plugin',
  'slurmdbd',
  'slurm-wlm-mysql-plugin',
  'munge',
  'mariadb-server',
  'python3',
  'python3-pip',
];
/** For further Slurm releases, for clocks that are wrong, for file systems that show things late, and to look at pages. */
const debianForTests = ['debootstrap', 'libfaketime', 'bindfs', 'chromium', 'fonts-dejavu-core'];
const uvVersion = '0.13.9';

/** Installs what is missing, for the tests also further Slurm releases. Throws one sentence for the first part that can't be installed. */
export async function install(config: StackConfig, say: Say, forTests: boolean): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error(
      'the local stack needs root (it installs Debian packages and Slurm switches users): run this as root, or with sudo',
    );
  }
  mkdirSync(join(config.cache, 'logs'), { recursive: true });
  const packages = debianPackages(config, say, forTests ? [...debian, ...debianForTests] : debian);
  const parts = [packages.then(() => python(config, say)), temporal(config, say)];
  if (forTests) parts.push(packages.then(() => releases(config, say)));
  const failed = (await Promise.allSettled(parts)).find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function debianPackages(config: StackConfig, say: Say, wanted: string[]): Promise<void> {
  const listed = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...wanted], {
    encoding: 'utf8',
  });
  if (listed.error !== undefined) {
    throw new Error(
      'Debian packages: dpkg is not here; the local stack runs on Debian 12, elsewhere point CRITIC_* at your own Temporal and slurmrestd',
    );
  }
  const there = new Set(
    listed.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  const missing = wanted.filter((name) => !there.has(name));
  if (missing.length === 0) return;
  await part(
    config,
    say,
    'Debian packages',
    'check the network and free disk space, or run "apt-get update"',
    async (run) => {
      const policy = '/usr/sbin/policy-rc.d';
      const before = existsSync(policy) ? readFileSync(policy) : undefined;
      // Packages must not start their own servers. Ours run on ports of their own.
      if (before === undefined) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
      try {
        await run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', 'update']);
        await run('apt-get', [
          '-q',
          '-y',
          '-o',
          'DPkg::Lock::Timeout=300',
          'install',
          '--no-install-recommends',
          ...missing,
        ]);
      } finally {
        if (before === undefined) rmSync(policy, { force: true });
      }
    },
  );
}

/** The environment of jobs and tests, by the command that makes it on a cluster too. The interpreter is Debian's. */
async function python(config: StackConfig, say: Say): Promise<void> {
  const folder = pythonEnvironment(config);
  const advice = 'it needs about 7 GB of disk and the network; look at the log, then run this again';
  if (!existsSync(join(folder, 'complete'))) {
    // What an older version of this file began. The command refuses a folder that it did not begin itself.
    if (!existsSync(join(folder, 'building'))) rmSync(folder, { recursive: true, force: true });
    await part(config, say, 'Python environment', advice, (run) => environment(config, run, 'base', folder));
  }
  const list = join(config.checkout, 'trainer/environments/deepspeed.txt');
  const installed = join(folder, 'deepspeed/requirements.txt');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(list, 'utf8')) return;
  await part(config, say, 'DeepSpeed', advice, (run) => environment(config, run, 'deepspeed', folder));
}

/** An engine's environment in a folder, for tests that need one of its own. `more`: further arguments of the command that makes it. */
export async function installEnvironment(
  config: StackConfig,
  say: Say,
  name: string,
  folder: string,
  more: string[] = [],
): Promise<void> {
  mkdirSync(join(config.cache, 'logs'), { recursive: true });
  const advice = 'it needs up to 7 GB of disk and the network; look at the log, then run this again';
  await part(config, say, `${name} environment`, advice, (run) => environment(config, run, name, folder, more));
}

/** Runs `trainer/environments/install` with a uv of the cache's own. */
async function environment(
  config: StackConfig,
  run: Run,
  name: string,
  folder: string,
  more: string[] = [],
): Promise<void> {
  const interpreter = '/usr/bin/python3';
  const tools = join(config.cache, `uv-${uvVersion}`);
  const uv = join(tools, 'bin/uv');
  if (!existsSync(uv)) {
    const quietly = ['-q', '--disable-pip-version-check', '--no-cache-dir'];
    await run(interpreter, ['-m', 'pip', 'install', ...quietly, '--target', tools, `uv==${uvVersion}`]);
  }
  const command = join(config.checkout, 'trainer/environments/install');
  const env = { UV_CACHE_DIR: join(config.cache, 'uv'), UV_LINK_MODE: 'hardlink' };
  await run(interpreter, [command, name, folder, '--uv', uv, ...more], env);
}

async function releases(config: StackConfig, say: Say): Promise<void> {
  const advice = 'it needs about 1 GB of disk and the network; look at the log, then run this again';
  const missing = [...slurmReleases.entries()].filter(([index]) => !isInstalled(config, index));
  // All at once: each downloads for most of its time.
  const parts = missing.map(([index, { release }]) =>
    part(config, say, `Slurm-${release} for the tests`, advice, (run) => installRelease(config, index, run)),
  );
  const failed = (await Promise.allSettled(parts)).find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function temporal(config: StackConfig, say: Say): Promise<void> {
  if (findTemporal(config) !== undefined) return;
  const target = join(config.cache, 'temporal');
  const advice = `install the Temporal CLI and set TEMPORAL_CLI_PATH, or install Go 1.25 or later`;
  await part(config, say, 'Temporal server (built with Go, about 6 CPU-minutes, once)', advice, async (run) => {
    const building = `${target}.building`;
    await run(
      'go',
      [
        'install',
        '-ldflags',
        `-X github.com/temporalio/cli/internal/temporalcli.Version=${temporalVersion.slice(1)}`,
        `github.com/temporalio/cli/cmd/temporal@${temporalVersion}`,
      ],
      { GOBIN: building },
    );
    mkdirSync(target, { recursive: true });
    renameSync(join(building, 'temporal'), join(target, 'temporal'));
    rmSync(building, { recursive: true, force: true });
  });
}

type Run = (command: string, args: string[], env?: Record<string, string>) => Promise<void>;

/** Installs one part, with a log and its time. If it fails, one sentence says so. */
async function part(
  config: StackConfig,
  say: Say,
  name: string,
  advice: string,
  work: (run: Run) => Promise<void>,
): Promise<void> {
  const startedAt = Date.now();
  const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(0);
  const logPath = join(config.cache, 'logs', `${name.split(' ')[0]?.toLowerCase() ?? 'part'}.log`);
  const log = createWriteStream(logPath, { flags: 'a' });
  say(`${name}: installing`);
  const ticker = setInterval(() => say(`${name}: still at it, ${seconds()} s`), 30_000);
  try {
    await work((command, args, env) => execute(command, args, env, log));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${name} could not be installed (${why}): ${advice}. Log: ${logPath}`, { cause: error });
  } finally {
    clearInterval(ticker);
    log.end();
  }
  say(`${name}: installed in ${seconds()} s`);
}

function execute(
  command: string,
  args: string[],
  env: Record<string, string> | undefined,
  log: NodeJS.WritableStream,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', ...env },
    });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} exited with ${code ?? 'a signal'}`)),
    );
  });
}
