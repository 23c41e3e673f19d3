/** Heartbeating: keeps an activity alive that hashes or copies for minutes without a natural place to say so. */
import { Context } from '@temporalio/activity';
import type { StageProgress } from '../domain/jobs/progress.ts';

const intervalMs = 10_000;

/**
 * Runs `work` with a heartbeat at once, at each of its reports, and every ten seconds whatever it does: the last report again,
 * or `state` before the first.
 */
export async function heartbeating<T>(
  state: string,
  work: (report: (progress: StageProgress) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  let last: StageProgress = { state };
  const report = (progress: StageProgress) => {
    last = progress;
    context.heartbeat(progress);
  };
  report(last);
  const timer = setInterval(() => context.heartbeat(last), intervalMs);
  try {
    return await work(report);
  } finally {
    clearInterval(timer);
  }
}
