/** Fakes: a shell whose streams are texts, and a client whose server has the given workflows. No Temporal is needed. */
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ServiceError } from '@temporalio/client';
import {
  defaultPayloadConverter,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import type { CliConfig } from '../../cli/config.ts';
import { runCritic } from '../../cli/program.ts';
import type { Shell } from '../../cli/shell.ts';
import { searchAttributes } from '../../domain/names.ts';
import type { RunView } from '../../domain/jobs/progress.ts';

/** One workflow of the fake server. What is left out is what a healthy run has. */
export interface FakeRun {
  type?: string;
  /** Temporal's status; a function is asked at each look. */
  status?: string | (() => string);
  view?: RunView;
  /** No worker answers its queries. */
  silent?: true;
  result?: () => unknown;
  /** What it replies to an update. */
  update?: (answer: unknown) => unknown;
  memo?: Readonly<Record<string, unknown>>;
  /** Its task queue: which cluster it is on. */
  taskQueue?: string;
  /** Its history. */
  events?: readonly object[];
  /** Somebody has cancelled it. */
  cancelRequested?: true;
  /** Tries of its current workflow task. */
  taskTries?: number;
  /** Heartbeat details by activity id. */
  heartbeats?: Readonly<Record<string, unknown>>;
  /** Why the last try failed, by the id of an activity that waits for its next try. */
  failures?: Readonly<Record<string, string>>;
}

export interface FakeServer {
  client: Client;
  /** What was asked of it, one line each. */
  calls: string[];
  /** Arguments of workflows that were started, by id. */
  started: Map<string, unknown>;
  /** The task queues of these, by id. */
  queues: Map<string, string>;
}

function noAnswer(): never {
  throw new ServiceError('Failed to query Workflow', { cause: new Error('DEADLINE_EXCEEDED') });
}

/** Answers to queries as a worker that is slow, then dead, then there again gives them; `over` is called at the last, the fifth. */
export function fallingSilent<View>(view: View, over: () => void): () => Promise<View> {
  let looks = 0;
  return async () => {
    looks += 1;
    if (looks === 1) return sleep(60, view); // late, but it answers
    if (looks < 5) return noAnswer();
    over();
    return view;
  };
}

/** `listed`: what it lists, whatever is asked for, or by the query. Without it: all that run. `served`: queues at which a worker asks. Without it: all. */
export function fakeServer(
  runs: Record<string, FakeRun>,
  listed?: Iterable<object> | ((query: string) => Iterable<object>),
  served?: readonly string[],
): FakeServer {
  const calls: string[] = [];
  const started = new Map<string, unknown>();
  const queues = new Map<string, string>();
  const getHandle = (run: string) => {
    const known = () => {
      const found = runs[run];
      if (found === undefined) throw new WorkflowNotFoundError('no rows', run, undefined);
      return found;
    };
    return {
      workflowId: run,
      describe: async () => {
        const { type = 'trainCritic', status = 'RUNNING', heartbeats = {}, failures = {}, taskTries = 1 } = known();
        const { memo, cancelRequested = false, taskQueue = 'critic' } = known();
        const pendingActivities = Object.entries(heartbeats).map(([activityId, details]) => ({
          activityId,
          heartbeatDetails: { payloads: [defaultPayloadConverter.toPayload(details)] },
          ...(failures[activityId] === undefined ? { state: 2 } : { state: 1 }),
          lastFailure: { message: failures[activityId] ?? 'of a try that is over' },
        }));
        return {
          type,
          status: { name: typeof status === 'string' ? status : status() },
          memo,
          taskQueue,
          raw: {
            pendingActivities,
            pendingWorkflowTask: { attempt: taskTries },
            workflowExtendedInfo: { cancelRequested },
          },
        };
      },
      query: async () => (known().silent === true ? noAnswer() : known().view),
      fetchHistory: async () => ({ events: known().events ?? [] }),
      result: async () => known().result?.(),
      cancel: async () => void calls.push(`cancel ${run}`),
      startUpdate: async (name: string, { args }: { args: unknown[] }) => {
        calls.push(`${name} ${run} ${JSON.stringify(args[0])}`);
        const { update } = known();
        return { result: async () => update?.(args[0]) ?? 'taken' };
      },
      executeUpdate: async (name: string, { args }: { args: unknown[] }) => {
        calls.push(`${name} ${run} ${JSON.stringify(args[0])}`);
        return known().update?.(args[0]) ?? 'taken';
      },
    };
  };
  const start = async (type: string, options: { workflowId: string; taskQueue: string; args: unknown[] }) => {
    const { workflowId, taskQueue, args } = options;
    if (started.has(workflowId)) throw new WorkflowExecutionAlreadyStartedError('taken', workflowId, type);
    started.set(workflowId, args[0]);
    queues.set(workflowId, taskQueue);
    // The next workflow that is started is the one that a test has put under its type's name.
    runs[workflowId] ??= runs[type] ?? {};
    return getHandle(workflowId);
  };
  async function* list({ query = '' } = {}) {
    if (listed !== undefined) return yield* typeof listed === 'function' ? listed(query) : listed;
    for (const [workflowId, { status = 'RUNNING', memo, taskQueue }] of Object.entries(runs)) {
      if (status === 'RUNNING') yield { workflowId, memo, taskQueue };
    }
  }
  // A server in order.
  const workflowService = {
    getSystemInfo: async () => ({ serverVersion: '1.31.0' }),
    describeTaskQueue: async ({ taskQueue: { name } }: { taskQueue: { name: string } }) => ({
      pollers: served === undefined || served.includes(name) ? [{ identity: 'worker-1' }] : [],
    }),
  };
  const kinds = { KEYWORD: 2, DOUBLE: 4, DATETIME: 6 };
  const customAttributes = Object.fromEntries(
    Object.entries(searchAttributes).map(([name, kind]) => [name, kinds[kind]]),
  );
  const operatorService = { listSearchAttributes: async () => ({ customAttributes }) };
  const client = {
    workflow: { getHandle, start, list },
    options: { namespace: 'default' },
    withDeadline: (_deadline: number, work: () => unknown) => work(),
    workflowService,
    connection: { operatorService, close: async () => void calls.push('close') },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { client: client as unknown as Client, calls, started, queues };
}

export interface Ended {
  code: number;
  out: string;
  err: string;
}

/** Runs a command line as a person without a terminal would, against `server`; its streams and its exit code come back. */
export async function critic(argv: readonly string[], server?: FakeServer, shell: Partial<Shell> = {}): Promise<Ended> {
  const ended = { code: 0, out: '', err: '' };
  const stream = (name: 'out' | 'err') => {
    const through = new PassThrough();
    through.on('data', (chunk: Buffer) => (ended[name] += chunk.toString()));
    return through;
  };
  await runCritic(argv, {
    env: { CRITIC_TEMPORAL_ADDRESS: 'fake:7233', CRITIC_TEMPORAL_UI: 'http://ui' },
    stdin: new PassThrough(),
    stdout: stream('out'),
    stderr: stream('err'),
    localRecord: () => '/nowhere/env.json',
    connect: async (config: CliConfig) => {
      if (server === undefined) throw new Error(`no connection to ${config.address} was expected`);
      return server.client;
    },
    exitWith: (code) => (ended.code = code),
    ...shell,
  });
  return ended;
}

/** What a command prints on a terminal of so many columns, without colours. */
export async function onTerminal(argv: readonly string[], server: FakeServer, columns: number): Promise<string> {
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns, rows: 40 });
  await critic(argv, server, { stdout, env: { NO_COLOR: '1', CRITIC_TEMPORAL_ADDRESS: 'fake:7233' } });
  return String(stdout.read() ?? '');
}
