/** All activities of a worker, made from its dependencies. Workflows import the type alone. */
import { createAttemptActivities } from './attempts.ts';
import { createCancelActivities } from './cancelling.ts';
import { createGateActivities } from './champion.ts';
import { createCollectActivities } from './collecting.ts';
import { createDatasetActivities } from './dataset.ts';
import type { ActivityDeps } from './deps.ts';
import { createEstimateActivities } from './estimating.ts';
import { createEvaluationActivities } from './evaluation.ts';
import { translatedAll } from './failure.ts';
import { createImportActivities } from './imports.ts';
import { createLookUpActivities } from './look-up.ts';
import { createOrphanActivities } from './orphans.ts';
import { createRecordActivities } from './records.ts';
import { createReportActivities } from './report.ts';
import { createStackActivities } from './stacks.ts';
import { createSubmissionActivities } from './submission.ts';
import { createSynthesisActivities } from './synthesis.ts';
import { createWatchActivities } from './watching.ts';

export function createActivities(deps: ActivityDeps) {
  return translatedAll({
    ...createDatasetActivities(deps),
    ...createImportActivities(deps),
    ...createEstimateActivities(deps),
    ...createLookUpActivities(deps),
    ...createSynthesisActivities(deps),
    ...createRecordActivities(deps),
    ...createAttemptActivities(deps),
    ...createSubmissionActivities(deps),
    ...createWatchActivities(deps),
    ...createStackActivities(deps),
    ...createCollectActivities(deps),
    ...createCancelActivities(deps),
    ...createOrphanActivities(deps),
    ...createEvaluationActivities(deps),
    ...createGateActivities(deps),
    ...createReportActivities(deps),
  });
}

export type Activities = ReturnType<typeof createActivities>;
