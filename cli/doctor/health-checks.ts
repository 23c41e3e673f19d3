/** Checks that the CLI makes itself: Temporal, its search attributes, who polls; and those that a worker answers. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import type { HealthCheck } from '../../domain/health-check.ts';
import { clusterInWords } from '../../domain/clusters.ts';
import { searchAttributes } from '../../domain/names.ts';
import { chosenCluster } from '../cluster.ts';
import { sentenceOf } from '../connection.ts';
import { inquire } from '../inquire.ts';
import { askedQueues, NobodyTakesUp, secondsSilent, silences, silentSeconds } from '../workers.ts';
import { serverNow } from './server-clock.ts';

export const healthCheck = z.object({
  what: z.string(),
  state: z.enum(['good', 'problem', 'note']),
  sentence: z.string(),
});
const reply = z.object({ checks: z.array(healthCheck) });

/** temporal.api.enums.v1.IndexedValueType. */
const kinds = { KEYWORD: 2, DOUBLE: 4, DATETIME: 6 } as const;

/** Temporal does not tell of a death: a worker that has died asks no more, and one that lives asks each minute at least. */
const noTaker =
  'nobody answers: the worker that asked for work last has died since, or is too busy; its log tells, on a local stack "critic local logs worker"; "critic local up" starts one there';

/**
 * All checks; each is handed to `tell` as soon as it is known. A check that fails is a problem and hides no other one. What a worker sees is not asked
 * where none asks for work. `answers`: a worker has answered.
 */
export async function healthChecks(
  client: Client,
  tell: (checks: readonly HealthCheck[]) => void = () => undefined,
): Promise<{ checks: HealthCheck[]; answers: boolean }> {
  const own: [string, () => Promise<HealthCheck[]>][] = [
    ['Temporal', () => checkServer(client)],
    ['search attributes', () => checkAttributes(client)],
    ['workers', () => checkWorkers(client)],
    ['worker', async () => (await inquire(client, 'health', {}, reply)).checks],
  ];
  const checks: HealthCheck[] = [];
  let answers = true;
  for (const [what, check] of own) {
    let found: HealthCheck[];
    try {
      found = await check();
    } catch (error) {
      found = [{ what, state: 'problem', sentence: error instanceof NobodyTakesUp ? noTaker : sentenceOf(error) }];
      answers = what !== 'worker';
    }
    checks.push(...found);
    tell(found);
  }
  return { checks, answers };
}

async function checkServer(client: Client): Promise<HealthCheck[]> {
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  return [
    { what: 'Temporal', state: 'good', sentence: `server ${serverVersion}, namespace ${client.options.namespace}` },
  ];
}

async function checkAttributes(client: Client): Promise<HealthCheck[]> {
  const { namespace } = client.options;
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
  const known: Readonly<Record<string, number | undefined>> = customAttributes;
  const wrong = Object.entries(searchAttributes).filter(([name, kind]) => known[name] !== kinds[kind]);
  const what = 'search attributes';
  if (wrong.length === 0)
    return [{ what, state: 'good', sentence: `all ${Object.keys(searchAttributes).length} are there` }];
  return wrong.map(([name, kind]) => ({
    what,
    state: 'problem',
    sentence: `${name}: expected type ${kind}, got ${known[name] === undefined ? 'none' : 'another one'}; run: temporal operator search-attribute create --name ${name} --type ${kind.slice(0, 1)}${kind.slice(1).toLowerCase()}`,
  }));
}

async function checkWorkers(client: Client): Promise<HealthCheck[]> {
  const cluster = chosenCluster(client);
  const queues = await askedQueues(client, cluster);
  const what = 'workers';
  const none = queues.filter(({ workers }) => workers === 0).map(({ name }) => name);
  if (none.length > 0)
    return [{ what, state: 'problem', sentence: `expected a worker at each queue, got none at ${none.join(', ')}` }];
  const now = (await serverNow(client)) ?? Date.now();
  const ages = silences(queues, now);
  const alive = ages.filter((seconds) => seconds === undefined || seconds <= silentSeconds);
  const work = `work${cluster === undefined ? '' : ` of ${clusterInWords(cluster)}`}`;
  const last = secondsSilent(queues, now);
  if (alive.length === 0) {
    const sentence = `${counted(ages.length)} asked for ${work}, but none for ${last} s; one that lives asks each minute, so start one`;
    return [{ what, state: 'problem', sentence }];
  }
  const when = last === undefined ? '' : `, last ${last} s ago`;
  const who = `${counted(alive.length)} ${alive.length === 1 ? 'asks' : 'ask'} for ${work}${when}`;
  const gone = ages.flatMap((seconds) => (seconds !== undefined && seconds > silentSeconds ? seconds : []));
  if (gone.length === 0) return [{ what, state: 'good', sentence: who }];
  const silent = `${counted(gone.length)} did until ${Math.min(...gone)} s ago and ${gone.length === 1 ? 'is' : 'are'} stopped or dead`;
  return [{ what, state: 'good', sentence: `${who}; ${silent}` }];
}

const counted = (workers: number) => `${workers} ${workers === 1 ? 'worker' : 'workers'}`;

/** One line a check, then what is wrong. At most 80 columns where words allow it. */
export function healthLines(checks: readonly HealthCheck[]): string[] {
  const marks = { good: 'ok', note: '--', problem: 'PROBLEM' } as const;
  return checks.flatMap(({ what, state, sentence }) => {
    const head = `${marks[state].padEnd(7)} ${what.padEnd(17)} `;
    const lines = sentence.match(/\S.{0,52}(?=\s|$)|\S+/g) ?? [''];
    return lines.map((line, index) => `${index === 0 ? head : ' '.repeat(head.length)}${line}`.trimEnd());
  });
}
