/**
 * CLI config: where Temporal is, and which cluster is meant. Without CRITIC_TEMPORAL_ADDRESS the record of a local stack is read, if there is one. The record's path is
 * handed in: this file knows nothing of the stack.
 */
import * as z from 'zod';
import { type Cluster, clusterExpected, isClusterName } from '../domain/clusters.ts';
import { shown } from '../domain/errors.ts';
import { FileFault, readRegularText } from '../files/regular-file.ts';
import { CliError } from './cli-error.ts';

const schema = z.object({
  CRITIC_TEMPORAL_ADDRESS: z.string().min(1),
  CRITIC_TEMPORAL_NAMESPACE: z.string().default('default'),
  CRITIC_TEMPORAL_UI: z.string().optional(),
  CRITIC_CLUSTER: z.string().refine(isClusterName).optional(),
});

/** A record holds some twenty addresses and paths. */
const maxRecordBytes = 64 * 1024;

export interface CliConfig {
  /** `host:port` of the Temporal server. */
  address: string;
  namespace: string;
  /** The cluster that is meant where nothing else says one. */
  cluster: Cluster;
  /** Root of the Temporal UI, without a slash at the end. Undefined if none is configured. */
  ui: string | undefined;
}

/**
 * Config from the environment, else from the JSON file at `localRecord()`. Throws a CliError that says what is missing, or
 * what is wrong with the record.
 */
export async function cliConfig(env: NodeJS.ProcessEnv, localRecord: () => string): Promise<CliConfig> {
  const own = env.CRITIC_CLUSTER;
  const given = env.CRITIC_TEMPORAL_ADDRESS === undefined ? await readRecord(localRecord()) : env;
  const parsed = schema.safeParse({ ...given, ...(own === undefined ? {} : { CRITIC_CLUSTER: own }) });
  if (!parsed.success) {
    if (own !== undefined && !isClusterName(own))
      throw new CliError(`CRITIC_CLUSTER: expected ${clusterExpected}, got ${shown(own)}`);
    throw new CliError(
      'CRITIC_TEMPORAL_ADDRESS: expected host:port of a Temporal server, got nothing (or start a local one with "critic local up")',
    );
  }
  const {
    CRITIC_TEMPORAL_ADDRESS: address,
    CRITIC_TEMPORAL_NAMESPACE: namespace,
    CRITIC_TEMPORAL_UI: ui,
    CRITIC_CLUSTER: cluster,
  } = parsed.data;
  return { address, namespace, cluster, ui };
}

/** Folder of the store as this machine sees it. Only what reads its files needs it. Throws a CliError if nothing says where it is. */
export async function storeFolder(env: NodeJS.ProcessEnv, localRecord: () => string): Promise<string> {
  const named = z.object({ CRITIC_STORE: z.string().min(1) });
  const known = named.safeParse(env.CRITIC_STORE === undefined ? await readRecord(localRecord()) : env);
  if (known.success) return known.data.CRITIC_STORE;
  throw new CliError("--store: expected the store's folder on this machine, got nothing (CRITIC_STORE may name it)");
}

/** All variables of a worker that this machine has: those of its environment if they say where Temporal is, else those of the local stack's record. */
export async function settingsHere(env: NodeJS.ProcessEnv, localRecord: () => string): Promise<object> {
  return env.CRITIC_TEMPORAL_ADDRESS === undefined ? ((await readRecord(localRecord())) ?? {}) : env;
}

/** Undefined if there is no such file. */
async function readRecord(path: string): Promise<object | undefined> {
  const fault = (got: string) =>
    new CliError(`the local stack's record "${path}": expected JSON as "critic local up" writes it, got ${got}`);
  try {
    const record: unknown = JSON.parse(await readRegularText(path, maxRecordBytes));
    return typeof record === 'object' && record !== null ? record : undefined;
  } catch (error) {
    if (error instanceof FileFault) throw fault(error.got);
    if (error instanceof SyntaxError) throw fault(error.message);
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw fault(String(error.code));
  }
}
