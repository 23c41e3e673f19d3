/** A worker of the bench, in a process of its own: the real workflows and queues, stand-ins for activities. It answers its parent by messages. */
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime } from '@temporalio/worker';
import * as z from 'zod';
import { createWorkers } from '../../workers/queues.ts';
import { standIns, type Watched } from './stand-ins.ts';

export const workerOrder = z.object({
  address: z.string(),
  folder: z.string(),
  cachedWorkflows: z.number(),
  watchers: z.number(),
});
/** `watched`: since when each attempt is watched by this process, ms epoch. `heapBytes`: V8's heap in use. */
export const workerSays = z.object({ watched: z.record(z.string(), z.number()), heapBytes: z.number() });

async function main(): Promise<void> {
  const { address, folder, ...sizes } = workerOrder.parse(JSON.parse(process.argv[2] ?? ''));
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
  });
  const watched: Watched = new Map();
  const connection = await NativeConnection.connect({ address });
  const workers = await createWorkers({ connection, namespace: 'default' }, standIns(folder, watched), sizes);
  process.on('message', () => {
    process.send?.({ watched: Object.fromEntries(watched), heapBytes: process.memoryUsage().heapUsed });
  });
  await Promise.all(workers.map((worker) => worker.run()));
  await connection.close();
  process.disconnect();
}

if (process.send !== undefined) await main();
