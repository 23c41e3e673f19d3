/**
 * planRun: what a run of this plan would reuse, ask, cost and take. It spends nothing and starts no job. It checks the dataset and
 * publishes it in the store, as the run itself would. A later run finds it there.
 */
import type { RunEstimate } from '../domain/estimate/estimate.ts';
import type { RunPlan } from '../domain/plan.ts';
import { storeActivities } from './activity-options.ts';

export async function planRun(plan: RunPlan): Promise<RunEstimate> {
  const dataset = await storeActivities.checkDataset.executeWithOptions(
    { activityId: 'plan-dataset', summary: 'rows, images, scores, splits' },
    [{ plan }],
  );
  return storeActivities.estimateRun.executeWithOptions({ activityId: 'plan-estimate', summary: 'what it will take' }, [
    { plan, dataset, imported: null },
  ]);
}
