/** A Temporal dev server with its UI, for the tests that look at a run there. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { TestProject } from 'vitest/node';
import { registerSearchAttributes } from '../../infra/local/search-attributes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    temporalAddress: string;
    temporalUi: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const path = process.env['TEMPORAL_CLI_PATH'] ?? '/var/cache/critic/temporal/temporal';
  if (!existsSync(path))
    throw new Error(`TEMPORAL_CLI_PATH: expected a Temporal server binary, got "${path}" ("npm test" gets one)`);
  const uiPort = await freePort();
  const env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path }, log: { format: 'json', level: 'error' }, ui: true, uiPort },
  });
  project.provide('temporalAddress', env.address);
  project.provide('temporalUi', `http://127.0.0.1:${uiPort}`);
  await registerSearchAttributes(env.address, env.namespace ?? 'default');
  return () => env.teardown();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
