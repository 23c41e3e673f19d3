/** All activities of nights: what `workflows/nights/run-night.ts` calls. A night has nobody to ask, so they are patient. */
import type { ClusterDeps } from '../cluster-check.ts';
import { patientAll } from '../failure.ts';
import type { StoreDeps } from '../store/deps.ts';
import { createBeginningActivities } from './beginning.ts';
import { createDigestActivities } from './digest.ts';
import { createNightEndingActivities } from './ending.ts';
import { createForeseeingActivities } from './foreseeing.ts';
import { createStoppingActivities } from './stopping.ts';
import { createTurnActivities } from './taking-turns.ts';

export function createNightActivities(deps: StoreDeps & ClusterDeps) {
  return patientAll({
    ...createTurnActivities(deps),
    ...createBeginningActivities(deps),
    ...createForeseeingActivities(deps),
    ...createStoppingActivities(),
    ...createNightEndingActivities(deps),
    ...createDigestActivities(deps),
  });
}
