/** All activities of a worker, made from its dependencies. Workflows import only the type. */
import { createAttemptActivities } from './jobs/attempts.ts';
import { createCancelActivities } from './jobs/cancelling.ts';
import { createChangeActivities } from './jobs/change-check.ts';
import { createGateActivities } from './gate/gate.ts';
import { createCollectActivities } from './jobs/collecting.ts';
import { createDatasetActivities } from './dataset/dataset.ts';
import { createEstimateActivities } from './estimate/estimating.ts';
import { createEndingActivities } from './jobs/ending.ts';
import { createExperimentActivities } from './experiments/report.ts';
import { createExaminingActivities } from './jobs/examining.ts';
import { createEvaluationActivities } from './evaluation/evaluation.ts';
import { translatedAll } from './failure.ts';
import type { HealthDeps } from './inquiries/health.ts';
import { createInquiryActivities } from './inquiries/inquiries.ts';
import { createImportActivities, type ImportDeps } from './store/imports.ts';
import { createTurnActivities } from './keeping/turns.ts';
import { createLookUpActivities } from './store/look-up.ts';
import { createNightActivities } from './nights/nights.ts';
import { createNotifyActivities } from './notify/notify.ts';
import { createOrphanActivities } from './jobs/orphans.ts';
import { createPageActivities } from './pages/nights.ts';
import { createRecordActivities } from './records/records.ts';
import { createScoringActivities } from './scoring/scoring.ts';
import { createReportActivities } from './report/report.ts';
import { createEarlierRunActivities } from './resuming/earlier-runs.ts';
import { createStackActivities } from './jobs/watching/stacks.ts';
import { createSubmissionActivities } from './jobs/submission.ts';
import { createSynthesisActivities } from './synthesis/synthesis.ts';
import { createWatchActivities } from './jobs/watching/watching.ts';
import type { JobDeps } from './jobs/deps.ts';
import type { ClusterDeps } from './cluster-check.ts';
import type { TeacherDeps } from './teacher/accounts.ts';

/** What all rooms need together. The worker builds it once. No activity reads the environment. */
export type ActivityDeps = JobDeps & ImportDeps & TeacherDeps & HealthDeps & ClusterDeps;

export function createActivities(deps: ActivityDeps) {
  return translatedAll({
    ...createDatasetActivities(deps),
    ...createImportActivities(deps),
    ...createEstimateActivities(deps),
    ...createLookUpActivities(deps),
    ...createTurnActivities(deps),
    ...createSynthesisActivities(deps),
    ...createRecordActivities(deps),
    ...createAttemptActivities(deps),
    ...createChangeActivities(deps),
    ...createSubmissionActivities(deps),
    ...createWatchActivities(deps),
    ...createStackActivities(deps),
    ...createCollectActivities(deps),
    ...createCancelActivities(deps),
    ...createEndingActivities(deps),
    ...createEarlierRunActivities(deps),
    ...createOrphanActivities(deps),
    ...createExaminingActivities(deps),
    ...createEvaluationActivities(deps),
    ...createGateActivities(deps),
    ...createReportActivities(deps),
    ...createExperimentActivities(deps),
    ...createScoringActivities(deps),
    ...createInquiryActivities(deps),
    ...createNotifyActivities(deps),
    ...createNightActivities(deps),
    ...createPageActivities(deps),
  });
}

export type Activities = ReturnType<typeof createActivities>;
