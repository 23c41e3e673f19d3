/**
 * The test run: every step with its time, on a stack of its own beside the demo's. It goes on after a failed step. The last line sums
 * the tests that the runners reported.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeState } from './slurm-root.ts';
import { down, up } from './stack.ts';
import { releaseStack, slurmReleases } from './slurm-releases.ts';
import {
  checkout,
  localEnvironment,
  port,
  pythonEnvironment,
  type StackConfig,
  tokenCommand,
  users,
} from './stack-config.ts';
import { temporalBinary } from './temporal-binary.ts';

export interface Counts {
  passed: number;
  failed: number;
}

/** Further tests, which bring what they need themselves. They write their report into a folder. */
export type Further = Record<string, (config: StackConfig, reports: string) => Promise<Counts>>;

/** Exit code: 0 if every step passed and at least one test ran. */
export async function runTests(config: StackConfig, further: Further = {}): Promise<number> {
  const reports = mkdtempSync(join(tmpdir(), 'critic-tests-'));
  const total: Counts = { passed: 0, failed: 0 };
  const broken: string[] = [];
  const step = async (name: string, work: () => Promise<Counts | undefined>) => {
    const startedAt = Date.now();
    console.log(`\n── ${name}`);
    try {
      const counts = await work();
      total.passed += counts?.passed ?? 0;
      total.failed += counts?.failed ?? 0;
      if (counts !== undefined && (counts.failed > 0 || counts.passed === 0)) broken.push(name);
    } catch (error) {
      broken.push(name);
      console.error(error instanceof Error ? error.message : error);
    }
    console.log(`── ${name}: ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
  };
  const test: StackConfig = { ...config, state: `${config.state}-test`, portBase: config.portBase + 10_000 };
  const stacks = [test, ...slurmReleases.map((_, index) => releaseStack(test, index))];
  const env = { ...process.env, TEMPORAL_CLI_PATH: temporalBinary(config) };
  for (const script of ['format:check', 'lint', 'types'])
    await step(script, () => plain('npm', ['run', '-s', script], env));
  await step('vitest unit', () => vitest('unit', reports, env));
  await step('vitest workflows', () => vitest('workflows', reports, env));
  await step('vitest pages', () => vitest('pages', reports, env));
  await step('trainer: ruff and pytest', () => trainer(config));
  await step('test stacks up', async () => {
    for (const stack of stacks) {
      await down(stack, () => undefined);
      removeState(stack);
      console.log(stack.state);
      await up(stack, console.log);
    }
    return undefined;
  });
  await step('vitest live', () => vitest('live', reports, { ...env, ...liveEnvironment(test) }));
  await step('test stacks down', async () => {
    for (const stack of stacks) await down(stack, () => undefined);
    return undefined;
  });
  for (const [name, work] of Object.entries(further)) await step(name, () => work(config, reports));
  rmSync(reports, { recursive: true, force: true });
  if (broken.length > 0) console.log(`\nfailed: ${broken.join(', ')}`);
  console.log(`\n${total.passed} passed, ${Math.max(total.failed, broken.length > 0 ? 1 : 0)} failed`);
  return broken.length === 0 && total.passed > 0 ? 0 : 1;
}

export function liveEnvironment(test: StackConfig): Record<string, string> {
  return {
    ...localEnvironment(test),
    CRITIC_STATE: test.state,
    CRITIC_PORT_BASE: String(test.portBase),
    SLURM_TEST_SERVERS: JSON.stringify(testServers(test)),
  };
}

/** Rows of slurm-rest-client's live tests: this machine's Slurm, and every API version of every further release. */
function testServers(test: StackConfig) {
  const row = (stack: StackConfig, name: string) => ({
    name,
    url: `http://127.0.0.1:${port(stack, 'slurmrestd')}`,
    user: users.job,
    tokenCommand: tokenCommand(stack),
  });
  const further = slurmReleases.flatMap(({ release, apiVersions }, index) => {
    const stack = releaseStack(test, index);
    return apiVersions.map((apiVersion) => ({
      ...row(stack, `Slurm ${release}, ${apiVersion}`),
      folder: jobFolder(stack),
      apiVersion,
    }));
  });
  return [row(test, "this machine's Slurm"), ...further];
}

/** A folder that the job's user may write, with the same path inside and outside of a release's root. */
function jobFolder(stack: StackConfig): string {
  const folder = join(stack.state, 'jobs');
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  return folder;
}

async function plain(command: string, args: string[], env: NodeJS.ProcessEnv, cwd = checkout): Promise<undefined> {
  const code = await foreground(command, args, env, cwd);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}`);
  return undefined;
}

/** Runs a project's tests, or those that `more` picks (files, `-t`). `reports`: a folder for its report. */
export async function vitest(
  project: string,
  reports: string,
  env: NodeJS.ProcessEnv,
  more: string[] = [],
): Promise<Counts> {
  const report = join(reports, `${project}.json`);
  const args = [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...more,
  ];
  // Not .bin/vitest: its first line would pick the machine's Node.
  const vitestEntry = join(checkout, 'node_modules/vitest/vitest.mjs');
  const code = await foreground(process.execPath, [vitestEntry, ...args], env, checkout);
  const found: unknown = JSON.parse(readFileSync(report, 'utf8'));
  const count = (name: string) => {
    const value =
      typeof found === 'object' && found !== null ? Object.entries(found).find(([key]) => key === name)?.[1] : 0;
    return typeof value === 'number' ? value : 0;
  };
  const counts = { passed: count('numPassedTests'), failed: count('numFailedTests') };
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

async function trainer(config: StackConfig): Promise<Counts> {
  const python = join(pythonEnvironment(config), 'bin/python');
  const folder = join(checkout, 'trainer');
  const env = {
    ...process.env,
    PYTHONPATH: `${folder}:${join(checkout, 'infra/local')}`,
    PYTHONDONTWRITEBYTECODE: '1',
    HF_HUB_OFFLINE: '1',
    OMP_NUM_THREADS: '1',
  };
  for (const where of [folder, join(checkout, 'infra/local/teacher')]) {
    await plain(python, ['-m', 'ruff', 'check', '--no-cache', '.'], env, where);
    await plain(python, ['-m', 'ruff', 'format', '--no-cache', '--check', '.'], env, where);
  }
  let output = '';
  const code = await foreground(
    python,
    [
      '-m',
      'pytest',
      '-p',
      'no:cacheprovider',
      '-c',
      join(folder, 'pyproject.toml'),
      join(folder, 'tests'),
      join(checkout, 'infra/local/teacher'),
    ],
    env,
    checkout,
    (text) => {
      output += text;
    },
  );
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(output.slice(-400))?.[1] ?? 0);
  const counts = { passed: count('passed'), failed: count('failed') + count('error') };
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function foreground(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  listen?: (text: string) => void,
): Promise<number> {
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', listen === undefined ? 'inherit' : 'pipe', 'inherit'],
  });
  child.stdout?.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk);
    listen?.(chunk.toString());
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
