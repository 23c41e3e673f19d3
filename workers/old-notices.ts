/** Old notices: removed once nobody can want them, so that the outbox does not grow for ever. Looks once an hour. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Outbox } from '../activities/notify/outbox.ts';
import { eachAlone } from './each-alone.ts';

const everyMs = 3_600_000;
/** Notices are kept so long, ms. Much longer than what happened is told (`backMs`, a week): what is removed is not told anew. */
export const keptMs = 60 * 86_400_000;

export class OldNotices {
  readonly #client: Client;
  readonly #outbox: Outbox;
  #next = 0;

  constructor(client: Client, outbox: Outbox) {
    this.#client = client;
    this.#outbox = outbox;
  }

  async look(now: Date): Promise<void> {
    if (now.getTime() < this.#next) return;
    this.#next = now.getTime() + everyMs;
    const before = new Date(now.getTime() - keptMs).toISOString();
    await this.#outbox.sweep(now);
    await eachAlone(await this.#outbox.ids(), async (id) => {
      const notice = await this.#outbox.read(id);
      if (notice === undefined || notice.at >= before) return;
      // What an open run asks is noticed at each look: without its notice it would be told again.
      if (notice.run === undefined || !(await this.#isOpen(notice.run))) await this.#outbox.remove(id);
    });
  }

  async #isOpen(run: string): Promise<boolean> {
    try {
      const { status } = await this.#client.workflow.getHandle(run).describe();
      return status.name === 'RUNNING' || status.name === 'PAUSED';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }
}
