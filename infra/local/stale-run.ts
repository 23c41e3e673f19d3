/**
 * The test run behind a stale view (`npm run test:stale`): single activities on two views of one folder, then the live pipeline
 * and the fault tests that depend on what jobs leave, with a worker that sees its store a minute late (stale-view.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { down, up } from './stack.ts';
import type { StackConfig } from './stack-config.ts';
import { liveEnvironment, vitest } from './test-run.ts';

/** NFS's longest defaults. */
const seconds = 60;
/** Fault tests in which a job or a worker ends otherwise than planned. */
const faults = {
  files: ['tests/faults/jobs.test.ts', 'tests/faults/worker.test.ts', 'tests/faults/answers.test.ts'],
  names:
    'its node goes down: a new|runs into its time limit|its time limit is ahead|gets stuck|killed with -9|one stands still',
};

/** Exit code: 0 if every step passed and each ran a test. */
export async function runStaleTests(config: StackConfig): Promise<number> {
  const stack: StackConfig = {
    ...config,
    state: `${config.state}-stale`,
    portBase: config.portBase + 1_000,
    staleSeconds: seconds,
  };
  const env = { ...process.env, ...liveEnvironment(stack), CRITIC_STALE_SECONDS: String(seconds) };
  const reports = mkdtempSync(join(tmpdir(), 'critic-stale-run-'));
  const failed: string[] = [];
  const step = async (name: string, project: string, ...more: string[]) => {
    console.log(`\n── ${name}`);
    const counts = await vitest(project, reports, env, more);
    if (counts.failed > 0 || counts.passed === 0) failed.push(name);
    console.log(`── ${name}: ${counts.passed} passed, ${counts.failed} failed`);
  };
  await step('two views of one folder', 'stale');
  await down(stack, () => undefined);
  rmSync(stack.state, { recursive: true, force: true });
  await up(stack, console.log);
  await step('the pipeline', 'live', 'tests/live/pipeline.test.ts');
  await down(stack, () => undefined);
  await step('faults', 'faults', ...faults.files, '-t', faults.names);
  rmSync(reports, { recursive: true });
  if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}
