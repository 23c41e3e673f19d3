/** CLI config: where Temporal is. Without CRITIC_TEMPORAL_ADDRESS the local stack's own record is used. */
import { existsSync, readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import * as z from 'zod';
import { folders, stackConfig } from '../infra/local/stack-config.ts';

const schema = z.object({
  CRITIC_TEMPORAL_ADDRESS: z.string().min(1),
  CRITIC_TEMPORAL_NAMESPACE: z.string().default('default'),
  CRITIC_TEMPORAL_UI: z.string().optional(),
});

export interface CliConfig {
  address: string;
  namespace: string;
  ui: string | undefined;
}

/** A sentence for the person at the terminal, and an exit code; no stack is printed. */
export class CliError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function cliConfig(env: NodeJS.ProcessEnv = process.env): CliConfig {
  const local = folders(stackConfig(env)).env;
  const source: unknown =
    env.CRITIC_TEMPORAL_ADDRESS === undefined && existsSync(local) ? JSON.parse(readFileSync(local, 'utf8')) : env;
  const parsed = schema.safeParse(source);
  if (!parsed.success) {
    throw new CliError(
      'CRITIC_TEMPORAL_ADDRESS: expected host:port of a Temporal server, got nothing (or start a local one with "npm run critic -- local up")',
    );
  }
  const {
    CRITIC_TEMPORAL_ADDRESS: address,
    CRITIC_TEMPORAL_NAMESPACE: namespace,
    CRITIC_TEMPORAL_UI: ui,
  } = parsed.data;
  return { address, namespace, ui };
}

/** A connected client; throws a CliError that names the address if nobody answers. */
export async function connect(config: CliConfig): Promise<Client> {
  try {
    const connection = await Connection.connect({ address: config.address, connectTimeout: '5 seconds' });
    return new Client({ connection, namespace: config.namespace });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(
      `CRITIC_TEMPORAL_ADDRESS: expected a Temporal server at "${config.address}", got no answer (${why}); "npm run critic -- local status" says what runs`,
    );
  }
}
