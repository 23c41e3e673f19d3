/**
 * What completion suggests for an argument that names something: runs, nights, champions, artifacts. It asks Temporal for some moments at most. Whatever
 * goes wrong (no server, no worker, no config), nothing is suggested and nothing is said: a shell waits for this between two keys.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { artifactsReply } from './commands/artifacts/artifacts.ts';
import { championsReply } from './commands/champion/champion.ts';
import { nightScheduleId } from '../domain/names.ts';
import { cliConfig } from './config.ts';
import { inquire } from './inquire.ts';
import { runType } from './run-handle.ts';
import type { Shell } from './shell.ts';

/** What is suggested, and a word on it. */
export type Suggestion = [value: string, word: string];

/** As many as a person looks through. */
const most = 50;
/** A server on the same network opens a connection in a fraction of this, ms. */
const reachMs = 400;
const answerMs = 2000;

async function runs(client: Client): Promise<Suggestion[]> {
  const found: Suggestion[] = [];
  for await (const { workflowId, status } of client.workflow.list({ query: `WorkflowType = '${runType}'` })) {
    found.push([workflowId, status.name.toLowerCase()]);
    if (found.length >= most) break;
  }
  return found;
}

async function nights(client: Client): Promise<Suggestion[]> {
  const prefix = nightScheduleId('');
  const found: Suggestion[] = [];
  for await (const { scheduleId, state } of client.schedule.list()) {
    if (scheduleId.startsWith(prefix))
      found.push([scheduleId.slice(prefix.length), state.paused ? 'paused' : 'scheduled']);
  }
  return found;
}

async function champions(client: Client): Promise<Suggestion[]> {
  const { champions: all } = await inquire(client, 'champions', { name: null }, championsReply);
  return all.map(({ name, run }) => [name, run]);
}

async function artifacts(client: Client): Promise<Suggestion[]> {
  const { artifacts: all } = await inquire(
    client,
    'artifacts',
    { stage: null, run: null, limit: most },
    artifactsReply,
  );
  return all.map(({ key, stage }) => [key.slice(0, 12), stage]);
}

/** By the verb and the name of its argument. Undefined: nothing that a server knows. */
export function sourceOf(verb: string, argument: string): ((client: Client) => Promise<Suggestion[]>) | undefined {
  if (argument === 'run' || argument === 'other') return runs;
  if (argument === 'night') return nights;
  if (argument === 'name' && verb.startsWith('champion ')) return champions;
  if (argument === 'key' && verb.startsWith('artifacts ')) return artifacts;
  return undefined;
}

/** Suggestions of a source. Empty where there is no answer in time. */
export async function suggestionsOf(
  shell: Shell,
  source: (client: Client) => Promise<Suggestion[]>,
): Promise<Suggestion[]> {
  try {
    const config = await cliConfig(shell.env, shell.localRecord);
    if (!(await isReachable(config.address))) return [];
    const client = await shell.connect(config);
    const late = new AbortController();
    try {
      const asked = source(client).catch((): Suggestion[] => []);
      const tooLate = sleep(answerMs, [], { signal: late.signal }).catch((): Suggestion[] => []);
      return await Promise.race([asked, tooLate]);
    } finally {
      late.abort();
      // What is still asked ends with its connection.
      await client.connection.close();
    }
  } catch {
    return []; // a sentence would stand in the middle of what a person types
  }
}

/** Does anybody listen there? Temporal's own client waits for seconds. */
function isReachable(address: string): Promise<boolean> {
  const { host, port } = partsOf(address);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: reachMs });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

function partsOf(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replaceAll(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
