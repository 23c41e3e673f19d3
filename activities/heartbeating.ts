/** Heartbeating: keeps an activity alive that hashes or copies for minutes without a natural place to say so. */
import { Context } from '@temporalio/activity';

const intervalMs = 10_000;

/** Runs `work` with a heartbeat every ten seconds that says `state`. */
export async function heartbeating<T>(state: string, work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat({ state });
  const timer = setInterval(() => context.heartbeat({ state }), intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
