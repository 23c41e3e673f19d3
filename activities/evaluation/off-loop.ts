/**
 * Off the loop: statistics in a thread of their own. A worker's event loop polls Slurm, heartbeats and answers Temporal for all runs. Minutes
 * of computing on it would look like a dead worker.
 *
 * The thread has no side effect: a kill -9 only loses computing time. Cancelling ends it.
 */
import { Worker } from 'node:worker_threads';
import { Context } from '@temporalio/activity';
import type { StageProgress } from '../../domain/jobs/progress.ts';
import type { Statistics, StatisticsMessage } from './statistics.ts';

/** Far below the heartbeat timeout of two minutes: one step of thousands of pairs takes longer than that. */
const heartbeatMs = 10_000;

/** The result of a thread that works on `input`. Heartbeats at each step and in between. Throws the thread's error, or why it was cancelled. */
export async function offLoop<K extends keyof Statistics>(
  kind: K,
  input: Statistics[K]['input'],
): Promise<Statistics[K]['output']> {
  const { heartbeat, cancellationSignal: signal } = Context.current();
  signal.throwIfAborted();
  let note: string = kind;
  const say = () => heartbeat({ state: 'measuring', note } satisfies StageProgress);
  const thread = new Worker(new URL('./statistics-thread.ts', import.meta.url), { workerData: { kind, input } });
  const timer = setInterval(say, heartbeatMs);
  const { promise, resolve, reject } = Promise.withResolvers<Statistics[K]['output']>();
  const stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error('cancelled'));
  signal.addEventListener('abort', stop, { once: true });
  thread.on('error', reject);
  thread.on('exit', (code) => reject(new Error(`the thread of statistics (${kind}) ended with ${code} and no result`)));
  thread.on('message', (message: StatisticsMessage<Statistics[K]['output']>) => {
    if ('result' in message) return resolve(message.result);
    note = message.step;
    say();
  });
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', stop);
    await thread.terminate();
  }
}
