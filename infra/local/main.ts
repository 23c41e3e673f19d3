/** `npm start`, `npm test`, `npm run test:stale` and `npm run test:engines`, once the npm packages are there: install what else is missing, then demo or tests. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { engineTests, runEngineTests } from './engines-run.ts';
import { install } from './install.ts';
import { checkout, stackConfig } from './stack-config.ts';
import { runStaleTests } from './stale-run.ts';
import { runTests } from './test-run.ts';

async function main(): Promise<number> {
  const [verb, ...args] = process.argv.slice(2);
  if (verb !== 'start' && verb !== 'test' && verb !== 'stale' && verb !== 'engines') {
    throw new Error(`expected start, test, stale or engines, got "${verb ?? 'nothing'}"`);
  }
  const config = stackConfig();
  await install(config, console.log, verb === 'test' || verb === 'stale');
  if (verb === 'stale') return runStaleTests(config);
  if (verb === 'engines') return runEngineTests(config);
  return verb === 'test'
    ? runTests(config, args.includes('engines') ? { 'vitest engines': engineTests } : {})
    : handOver(['demo', ...args]);
}

/** Runs the CLI in the foreground; its exit code is ours. Ctrl-C reaches it through the terminal. */
function handOver(args: string[]): Promise<number> {
  const child = spawn(process.execPath, [join(checkout, 'cli/main.ts'), ...args], { stdio: 'inherit' });
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
