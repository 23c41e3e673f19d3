/** The page of all nights, written as a night ends. A page that cannot be written holds no night up: the next one, or `critic nights`, writes it. */
import { ActivityFailure, CancellationScope, log, patched } from '@temporalio/workflow';
import { storeActivities } from '../activity-options.ts';

/** With the pauses of the store's pace that is half a minute. */
const tries = 5;

export async function writeNightsPage(): Promise<void> {
  // Nights that began before there was the page end without it.
  if (!patched('nights-page')) return;
  const options = { summary: 'nights.html', retry: { maximumAttempts: tries } };
  try {
    await CancellationScope.nonCancellable(() => storeActivities.writeNightsPage.executeWithOptions(options, []));
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn(`nights.html was not written: ${error.cause?.message ?? error.message}`);
  }
}
