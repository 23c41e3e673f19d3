/** Workflow code of a release that cannot replay what a run has done: it begins otherwise. */
import { sleep } from '@temporalio/workflow';

export async function trainCritic(): Promise<void> {
  await sleep('1 day');
}
