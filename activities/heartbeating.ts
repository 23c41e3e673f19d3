/** Heartbeating: for an activity that hashes or copies for minutes and has no natural place to heartbeat. */
import { Context } from '@temporalio/activity';
import type { StageProgress } from '../domain/jobs/progress.ts';

const intervalMs = 10_000;

/**
 * Runs `work` with heartbeats: one at once, one at each of its reports, and one every ten seconds. The last repeats the newest report, or says
 * `state` before the first.
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
