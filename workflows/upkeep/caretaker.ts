/**
 * caretaker: one workflow that always runs (`workers/caretaker.ts` sees to that).
 *
 *   1. every few minutes: cancel jobs whose run is over (`reap-orphans.ts`)
 *   2. at any time: an inquiry from the CLI is given to an activity, and its reply goes back (`domain/inquiries.ts`)
 *   3. when its history is long: continue as new
 *
 * It is one workflow and not one for each look, so that the list of workflows stays a list of runs.
 */
import {
  ActivityFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { CaretakerSettings } from '../../domain/inquiries.ts';
import { inquiryActivities } from '../activity-options.ts';
import { inquireUpdate, settleSignal } from '../messages.ts';
import { reapOrphans } from './reap-orphans.ts';

/** Events after which it continues as new: some hours of looks. */
const historyEvents = 2_000;

export async function caretaker(given: CaretakerSettings): Promise<void> {
  let settings = given;
  let asked = 0;
  let settled = 0;
  setHandler(settleSignal, (newer) => {
    settings = newer;
    settled += 1;
  });
  setHandler(
    inquireUpdate,
    (inquiry) => {
      asked += 1;
      const options = { activityId: `inquiry-${asked}`, summary: inquiry.name };
      return inquiryActivities.answerInquiry.executeWithOptions(options, [inquiry]);
    },
    { description: 'Ask something of the store or the cluster: {"name", "input"}; "critic" does it for you' },
  );
  while (!isLong()) {
    await look();
    const before = settled;
    await condition(() => settled > before || isLong(), settings.reaperIntervalMs);
  }
  await condition(allHandlersFinished);
  await continueAsNew<typeof caretaker>(settings);
}

function isLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= historyEvents;
}

/** A look that fails is tried again with the next one. */
async function look(): Promise<void> {
  try {
    await reapOrphans();
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('a look for orphans has failed', { why: error.cause?.message ?? error.message });
  }
}
