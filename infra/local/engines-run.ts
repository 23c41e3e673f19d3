/**
 * The test run of engines that have an environment of their own (`npm run test:engines`, and `.ci/run` after all else): verl on Ray, and
 * predictions by vLLM's engine, on a real Slurm with two nodes, without a GPU. Generation is by stand-ins (tests/engines/standins,
 * tests/easyr1/standins), so vLLM is not tested.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installEnvironment } from './install.ts';
import { removeState } from './slurm-root.ts';
import { down, up } from './stack.ts';
import { checkout, pythonEnvironment, type StackConfig } from './stack-config.ts';
import { type Counts, liveEnvironment, vitest } from './test-run.ts';

/** Exit code: 0 if every test passed and there was one. */
export async function runEngineTests(config: StackConfig): Promise<number> {
  const reports = mkdtempSync(join(tmpdir(), 'critic-engines-run-'));
  const counts = await engineTests(config, reports);
  rmSync(reports, { recursive: true });
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/** Runs them on a stack of their own. `reports`: a folder for the report. */
export async function engineTests(config: StackConfig, reports: string): Promise<Counts> {
  const own: StackConfig = { ...config, state: `${config.state}-engines`, portBase: config.portBase + 3_000 };
  await down(own, () => undefined);
  removeState(own);
  const standIns = [join(checkout, 'tests/engines/standins'), 'import critic_test_environment'];
  const verl = environmentWith(own, 'verl', await verlEnvironment(config), standIns);
  const vllm = environmentWith(own, 'vllm', pythonEnvironment(config), [join(checkout, 'tests/easyr1/standins')]);
  const environmentsFile = join(own.state, 'environments.yaml');
  // JSON is YAML too.
  writeFileSync(environmentsFile, JSON.stringify({ environments: { verl: { python: verl }, vllm: { python: vllm } } }));
  const stack = { ...own, environmentsFile };
  try {
    await up(stack, console.log);
    return await vitest('engines', reports, { ...process.env, ...liveEnvironment(stack), VERL_PYTHON: verl });
  } finally {
    await down(stack, () => undefined);
  }
}

/** Folder of verl's environment, made if need be. */
async function verlEnvironment(config: StackConfig): Promise<string> {
  const list = readFileSync(join(checkout, 'trainer/environments/verl.txt'));
  const hash = createHash('sha256').update(list).digest('hex').slice(0, 12);
  const folder = join(config.cache, 'python', `verl-${hash}`);
  await installEnvironment(config, console.log, 'verl', folder);
  return folder;
}

/**
 * The interpreter of an environment that holds nothing but the way to `base` and these lines of a .pth file: what is complete is never
 * changed. It lies in the stack's state.
 */
export function environmentWith(stack: StackConfig, name: string, base: string, added: string[]): string {
  const folder = join(stack.state, name);
  mkdirSync(stack.state, { recursive: true });
  execFileSync('/usr/bin/python3', ['-m', 'venv', '--without-pip', folder]);
  const [version = 'none'] = readdirSync(join(base, 'lib')).filter((entry) => entry.startsWith('python3.'));
  const packages = (environment: string) => join(environment, 'lib', version, 'site-packages');
  const lines = [`import site; site.addsitedir(${JSON.stringify(packages(base))})`, ...added];
  writeFileSync(join(packages(folder), 'critic_standins.pth'), `${lines.join('\n')}\n`);
  return join(folder, 'bin/python');
}
