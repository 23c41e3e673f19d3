/** One real Temporal dev server for all workflow tests; its address is provided to them. */
import { existsSync } from 'node:fs';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { TestProject } from 'vitest/node';
import { registerSearchAttributes } from '../../infra/local/search-attributes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    temporalAddress: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const path = process.env['TEMPORAL_CLI_PATH'] ?? '/var/cache/critic/temporal/temporal';
  if (!existsSync(path))
    throw new Error(`TEMPORAL_CLI_PATH: expected a Temporal server binary, got "${path}" ("npm test" gets one)`);
  const env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path }, log: { format: 'json', level: 'error' } },
  });
  project.provide('temporalAddress', env.address);
  await registerSearchAttributes(env.address, env.namespace ?? 'default');
  return () => env.teardown();
}
