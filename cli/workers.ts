/**
 * Workers as Temporal knows them: who asks which queue for work. So a verb that needs a worker says within seconds that there is none. Temporal remembers
 * a worker for five minutes after its last question, so of one that has died lately only the silence tells.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isGrpcServiceError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { type Cluster, queueOf, type QueueUse } from '../domain/clusters.ts';
import { CliError } from './cli-error.ts';
import { serverNow } from './doctor/server-clock.ts';

/** temporal.api.enums.v1.TaskQueueType. */
const types = { workflow: 1, activity: 2 } as const;

/** No worker answers, or none has for a while. */
export class NobodyAnswers extends CliError {}

/** Somebody has asked for work lately, and yet nobody takes this up. */
export class NobodyTakesUp extends NobodyAnswers {}

export interface AskedQueue {
  name: string;
  /** Workers that have asked it in the last five minutes. */
  workers: number;
  /** When each worker asked it last, as text; only whether it changes is of use. Empty: nobody has asked. */
  asked: string;
  /** When it was asked last, ms epoch by the server's clock. */
  askedAt?: number;
  /** Of each worker by its identity, the same. Undefined: the server does not tell. */
  lastAsked: Readonly<Record<string, number | undefined>>;
}

const uses = ['workflows', 'cluster', 'watch', 'llm'] as const satisfies QueueUse[];

/** The task queues of a cluster. */
export async function askedQueues(client: Client, cluster: Cluster): Promise<AskedQueue[]> {
  return Promise.all(
    uses.map(async (use) => {
      const name = queueOf(use, cluster);
      const { pollers } = await client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name },
        taskQueueType: use === 'workflows' ? types.workflow : types.activity,
      });
      const all = pollers ?? [];
      const times = all.map(({ lastAccessTime: at }) => `${String(at?.seconds ?? 0)}.${at?.nanos ?? 0}`);
      const seconds = Math.max(...times.map(Number));
      return {
        name,
        workers: new Set(all.map(({ identity }) => identity)).size,
        asked: times.toSorted().join(' '),
        ...(seconds > 0 ? { askedAt: seconds * 1000 } : {}),
        lastAsked: Object.fromEntries(
          all.map(({ identity, lastAccessTime: at }) => [
            identity ?? '',
            at ? Number(at.seconds ?? 0) * 1000 : undefined,
          ]),
        ),
      };
    }),
  );
}

const startOne = 'start one ("critic local up" starts that of a local stack)';

/** A poll for work lasts a minute at most, so a worker that lives has asked some queue since. Seconds. */
export const silentSeconds = 75;

/** For each worker, seconds since it asked any of these. One that is busy need not ask all. `now`: by the server's clock, ms epoch. */
export function silences(queues: readonly AskedQueue[], now: number): (number | undefined)[] {
  const last = new Map<string, number | undefined>();
  for (const { lastAsked } of queues) {
    for (const [worker, at] of Object.entries(lastAsked)) {
      last.set(worker, at === undefined ? last.get(worker) : Math.max(at, last.get(worker) ?? 0));
    }
  }
  return [...last.values()].map((at) => (at === undefined ? undefined : Math.max(0, Math.round((now - at) / 1000))));
}

/** Seconds since a worker asked one of these last. `now`: by the server's clock, ms epoch. */
export function secondsSilent(queues: readonly AskedQueue[], now: number): number | undefined {
  const times = queues.flatMap(({ askedAt }) => askedAt ?? []);
  return times.length === 0 ? undefined : Math.max(0, Math.round((now - Math.max(...times)) / 1000));
}

/**
 * Why what was asked for waits: no worker asks for work, or none has lately. Undefined where one asks, or Temporal does not tell. `what` ends: what happens
 * once a worker is back, as `run r ends`.
 */
export async function waitsForWorker(client: Client, cluster: Cluster, what: string): Promise<string | undefined> {
  try {
    const queues = await askedQueues(client, cluster);
    const seconds = secondsSilent(queues, (await serverNow(client)) ?? Date.now()) ?? 0;
    const nobody = queues.every(({ workers }) => workers === 0);
    if (!nobody && seconds <= silentSeconds) return undefined;
    const who = nobody ? 'no worker asks for work' : `no worker has asked for work for ${seconds} s`;
    return `${who}: ${what} once one is back; ${startOne}`;
  } catch (error) {
    if (!isGrpcServiceError(error)) throw error;
    return undefined;
  }
}

/** What is said of something that is watched while no worker answers. */
export function silenceOf(what: 'run' | 'scoring' | 'experiment'): string {
  return `no worker answers: the ${what} stands still until one does, and loses nothing; "critic doctor --no-job" looks at workers`;
}

/** Throws a CliError if nobody has asked for work in the last five minutes. */
export async function requireWorker(client: Client, cluster: Cluster): Promise<void> {
  if ((await askedQueues(client, cluster)).some(({ workers }) => workers > 0)) return;
  throw new NobodyAnswers(
    `nobody answers: no worker asks this Temporal server for work; nothing was done; ${startOne}`,
  );
}

export interface Patience {
  /** Pause between two looks at the queues, ms. */
  lookMs: number;
  /** A worker that has not asked for so long is away, ms. One that lives asks each minute. */
  silentMs: number;
}
const usual: Patience = { lookMs: 5_000, silentMs: 90_000 };

/**
 * What `work` comes to. Throws a CliError once no worker has asked for work for a while, since then `work` waits for ever. Times are those of this machine
 * alone, so a server with another clock does no harm. `late`: what that error says of work that is done after all.
 */
export async function whileWorkersAsk<T>(
  client: Client,
  cluster: Cluster,
  work: Promise<T>,
  { lookMs, silentMs }: Patience = usual,
  late?: string,
): Promise<T> {
  const over = new AbortController();
  const silence = async (): Promise<never> => {
    let [before, since] = ['', performance.now()];
    for (;;) {
      await sleep(lookMs, undefined, { signal: over.signal });
      const now = JSON.stringify(await askedQueues(client, cluster));
      if (now !== before) [before, since] = [now, performance.now()];
      else if (performance.now() - since >= silentMs) {
        const sentence = `no worker has asked for work for ${silentMs / 1000} s; ${startOne}`;
        throw new NobodyAnswers(`nobody answers: ${sentence}${afterwards(late)}`);
      }
    }
  };
  try {
    return await Promise.race([work, silence()]);
  } finally {
    over.abort();
  }
}

/** What `work` comes to. If that takes longer than `ms`, `late` is called once meanwhile. */
export async function whenLate<T>(work: Promise<T>, ms: number, late: () => void): Promise<T> {
  const timer = setTimeout(late, ms);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** By client, where it is said that a worker takes its time. */
const listeners = new WeakMap<Client, (sentence: string) => void>();

/** Whatever this client asks workers for: `say` is told if the answer takes longer than three seconds. */
export function tellOfWaiting(client: Client, say: (sentence: string) => void): void {
  listeners.set(client, say);
}
const waitingMs = 3_000;

/** A worker takes an update up within a second; one that has just begun, or a loaded machine, takes longer. */
const firstMs = 10_000;
const secondMs = 20_000;

/** The part of a handle that takes an update. */
interface Updatable {
  startUpdate: <Reply>(
    name: string,
    options: { args: [unknown]; waitForStage: 'ACCEPTED'; updateId: string },
  ) => Promise<{ result: () => Promise<Reply> }>;
}

function afterwards(late: string | undefined): string {
  return late === undefined ? '' : `. ${late}`;
}

/** Where an update goes: the handle of a workflow, and the cluster whose workers have it. */
export interface Addressee {
  handle: Updatable;
  cluster: Cluster;
}

/**
 * What a workflow replies to an update. Throws a CliError after at most half a minute if no worker takes it up, or once the one that took it up has been
 * away for a while, else what Temporal's client throws. `late`: what that error says of a request that is carried out after all.
 */
export async function updated<Reply>(
  client: Client,
  to: Addressee,
  { name, arg, late }: { name: string; arg: unknown; late: string | undefined },
  patience: Patience = usual,
): Promise<Reply> {
  await requireWorker(client, to.cluster);
  const taken = takenUp<Reply>(client, to, name, arg, late);
  const update = await whenLate(taken, waitingMs, () => listeners.get(client)?.('waiting for a worker …'));
  return whileWorkersAsk(client, to.cluster, update.result(), patience, late);
}

/** Sent again under the same id, it is the same update. */
async function takenUp<Reply>(
  client: Client,
  { handle, cluster }: Addressee,
  name: string,
  arg: unknown,
  late: string | undefined,
) {
  const updateId = randomUUID();
  for (const ms of [firstMs, secondMs]) {
    try {
      return await client.withDeadline(Date.now() + ms, () =>
        handle.startUpdate<Reply>(name, { args: [arg], waitForStage: 'ACCEPTED', updateId }),
      );
    } catch (error) {
      if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
    }
    // Temporal has forgotten the last worker meanwhile: nobody will come.
    if ((await askedQueues(client, cluster)).every(({ workers }) => workers === 0)) break;
  }
  throw new NobodyTakesUp(
    `nobody answers: a worker has asked for work in the last minutes, but none takes this up now; "critic doctor --no-job" looks at workers${afterwards(late)}`,
  );
}
