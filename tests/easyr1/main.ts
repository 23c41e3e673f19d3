/**
 * `npm run test:easyr1 -- PATH [PATH_OF_THE_AUTHORS]`: EasyR1 on a real Slurm with two nodes, without a GPU. PATH is a checkout of
 * hiyouga/EasyR1, the other one of Coobiw/IE-Critic-R1. Both are read and run, and nothing of them is kept. Generation is by a stand-in
 * (standins/README.md), so this is not tested on vLLM.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentWith } from '../../infra/local/engines-run.ts';
import { install, installEnvironment } from '../../infra/local/install.ts';
import { removeState } from '../../infra/local/slurm-root.ts';
import { down, up } from '../../infra/local/stack.ts';
import { checkout, type StackConfig, stackConfig } from '../../infra/local/stack-config.ts';
import { liveEnvironment, vitest } from '../../infra/local/test-run.ts';

const generations = [
  { environment: 'easyr1', version: '0.3.3', tests: 'the current generation' },
  { environment: 'easyr1-authors', version: '0.3.0', tests: "the authors' generation" },
] as const;
type Generation = (typeof generations)[number];

/** Exit code: 0 if every test passed and there was one for each checkout. */
async function main(paths: string[]): Promise<number> {
  if (paths.length < 1 || paths.length > 2) throw new Error('expected PATH [PATH_OF_THE_AUTHORS], paths of checkouts');
  const sources = paths.map((path, index) => checked(path, generations[index] ?? generations[0]));
  const config = stackConfig();
  await install(config, console.log, false);
  const stack: StackConfig = { ...config, state: `${config.state}-easyr1`, portBase: config.portBase + 2_000 };
  await down(stack, () => undefined);
  removeState(stack);
  const reports = mkdtempSync(join(tmpdir(), 'critic-easyr1-'));
  let sound = true;
  try {
    for (const [index, source] of sources.entries()) {
      const generation = generations[index] ?? generations[0];
      const environmentsFile = join(reports, `${generation.environment}.yaml`);
      const python = await environment(stack, generation, source);
      writeFileSync(environmentsFile, `environments:\n  easyr1: { python: ${JSON.stringify(python)} }\n`);
      // A worker with another environment is another worker: up() replaces it.
      const own = { ...stack, environmentsFile };
      await up(own, console.log);
      const env = { ...process.env, ...liveEnvironment(own), EASYR1_PYTHON: python };
      const counts = await vitest('easyr1', reports, env, ['-t', generation.tests]);
      console.log(`── ${generation.tests}: ${counts.passed} passed, ${counts.failed} failed`);
      sound &&= counts.failed === 0 && counts.passed > 0;
    }
  } finally {
    await down(stack, () => undefined);
    rmSync(reports, { recursive: true });
  }
  return sound ? 0 : 1;
}

/** The path without links. Throws one sentence where it is no checkout of this generation. */
function checked(path: string, { version }: Generation): string {
  const file = join(path, 'verl/__init__.py');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (!text.includes(`__version__ = "${version}`)) {
    throw new Error(`${path}: expected a checkout of EasyR1 ${version}, with verl/__init__.py that says so`);
  }
  return realpathSync(path);
}

/** The interpreter of an environment for this checkout, with the stand-in for vLLM in it. */
async function environment(config: StackConfig, { environment: name }: Generation, source: string): Promise<string> {
  const list = readFileSync(join(checkout, `trainer/environments/${name}.txt`));
  const hash = createHash('sha256').update(list).update(source).digest('hex').slice(0, 12);
  const folder = join(config.cache, 'python', `${name}-${hash}`);
  await installEnvironment(config, console.log, name, folder, ['--source', source]);
  return environmentWith(config, name, folder, [join(checkout, 'tests/easyr1/standins')]);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
