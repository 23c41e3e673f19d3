/**
 * The deadline of a night: while its run goes on, it is foreseen whether it will make it, and people are told as soon as it is known that it will not. At
 * the deadline the run goes on, or saves a checkpoint and ends, as the night says.
 */
import { ActivityFailure, CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import type { NightBeginning, NightOutcome, Tonight } from '../../domain/nights/night.ts';
import { deadlineNotice, lateNotice, nightTitle } from '../../domain/nights/night-notices.ts';
import { watchActivities } from '../activity-options.ts';
import { now, tell } from '../telling.ts';

/** How the run ended, given that it minds the night's deadline. `ended` is the run's own end. */
export async function untilDeadline(
  tonight: Tonight,
  { plan, deadline }: NightBeginning,
  ended: Promise<NightOutcome>,
): Promise<NightOutcome> {
  if (deadline === null) return ended;
  const scope = new CancellationScope();
  const watch = scope.run(() => watchClock(tonight, { plan, deadline }));
  let first: NightOutcome | 'deadline';
  try {
    first = await Promise.race([ended, watch]);
  } finally {
    scope.cancel();
    await watch.catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  }
  if (first !== 'deadline') return first;
  const { night, at } = tonight;
  await tell(deadlineNotice(night, at, now(), plan.run));
  if (night.at_deadline === 'go-on') return ended;
  const note = `the deadline ${night.deadline ?? ''} has come`;
  const { saved } = await watchActivities.stopRun.executeWithOptions({ summary: `checkpoint and end of ${plan.run}` }, [
    { run: plan.run, by: nightTitle(night.name, at), note },
  ]);
  const outcome = await ended;
  if (outcome.verdict !== 'cancelled') return outcome;
  const from = saved ? 'the checkpoint that it saved' : 'its last checkpoint: it did not save in time';
  return { ...outcome, verdict: 'stopped', sentence: `stopped, as ${note}; the next night goes on from ${from}` };
}

/** Returns at the deadline. Tells people before, if the run will not make it. */
async function watchClock(
  { night, at }: Tonight,
  { plan, deadline }: { plan: NightBeginning['plan']; deadline: string },
): Promise<'deadline'> {
  const { run, recipe } = plan;
  try {
    const { endsAt } = await watchActivities.foreseeNight.executeWithOptions(
      { summary: `will it end by ${deadline}?` },
      [{ run, recipe, deadline }],
    );
    if (endsAt !== null) await tell(lateNotice(night, at, now(), { run, deadline, endsAt }));
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('nobody foresees the end of the run', { why: error.cause?.message ?? error.message });
  }
  const left = new Date(deadline).getTime() - Date.now();
  if (left > 0) await sleep(left);
  return 'deadline';
}
