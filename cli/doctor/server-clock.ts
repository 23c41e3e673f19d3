/**
 * The clock of the Temporal server. How old something is that the server has written, only that clock can tell: this machine's may be minutes off. The server
 * has no call for it, but notes when a queue was asked for work: so a queue that nobody uses is asked once, and the note read.
 *
 * The request is given up at once. A kill leaves it to its deadline. No work is ever put into that queue.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';

const queue = 'critic-clock';
/** A server takes no shorter request for work, ms. */
const requestMs = 10_000;
const [looks, pauseMs] = [20, 50];
/** temporal.api.enums.v1.TaskQueueType. */
const workflows = 1;

/** Ms since 1970 by the server's clock. Undefined: it does not tell. */
export async function serverNow(client: Client): Promise<number | undefined> {
  const identity = `clock-${randomUUID()}`;
  const over = new AbortController();
  const { namespace } = client.options;
  const taskQueue = { name: queue };
  const request = async () =>
    client.withAbortSignal(over.signal, () =>
      client.withDeadline(Date.now() + requestMs, () =>
        client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue, identity }),
      ),
    );
  const asked = request().catch(() => over.abort());
  try {
    for (let look = 0; look < looks && !over.signal.aborted; look += 1) {
      await sleep(pauseMs);
      const given = { namespace, taskQueue, taskQueueType: workflows };
      const { pollers } = await client.workflowService.describeTaskQueue(given);
      const at = pollers?.find((one) => one.identity === identity)?.lastAccessTime;
      if (at !== undefined && at !== null) return Number(at.seconds ?? 0) * 1000 + (at.nanos ?? 0) / 1_000_000;
    }
    return undefined;
  } finally {
    over.abort();
    await asked;
  }
}
