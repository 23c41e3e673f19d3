/** The connection to Temporal, and its failures in sentences for a terminal. */
import { Client, Connection, ServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { CliError } from './cli-error.ts';
import type { CliConfig } from './config.ts';

/** No Temporal server answers. */
export class NoServer extends CliError {}

/** A connected client. Throws NoServer that names the address if nobody answers within five seconds. */
export async function connect(config: CliConfig): Promise<Client> {
  try {
    const connection = await Connection.connect({ address: config.address, connectTimeout: '5 seconds' });
    return new Client({ connection, namespace: config.namespace });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new NoServer(
      `CRITIC_TEMPORAL_ADDRESS: expected a Temporal server at "${config.address}", got no answer (${why}); "critic local status" says what runs`,
    );
  }
}

/** One sentence for any error that ended a command. */
export function sentenceOf(error: unknown): string {
  if (error instanceof NamespaceNotFoundError) {
    return `CRITIC_TEMPORAL_NAMESPACE: expected a namespace that the server has, got "${error.namespace}"`;
  }
  if (error instanceof ServiceError) {
    return `Temporal gave no answer: ${error.message}${error.cause === undefined ? '' : ` (${error.cause.message})`}`;
  }
  return error instanceof Error ? error.message : String(error);
}
