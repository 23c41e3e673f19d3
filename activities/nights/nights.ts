/** All activities of nights: what `workflows/run-night.ts` calls. */
import type { ClusterDeps } from '../cluster-check.ts';
import type { StoreDeps } from '../store/deps.ts';
import { createBeginningActivities } from './beginning.ts';
import { createDigestActivities } from './digest.ts';
import { createNightEndingActivities } from './ending.ts';
import { createForeseeingActivities } from './foreseeing.ts';
import { createStoppingActivities } from './stopping.ts';
import { createTurnActivities } from './taking-turns.ts';

export function createNightActivities(deps: StoreDeps & ClusterDeps) {
  return {
    ...createTurnActivities(deps),
    ...createBeginningActivities(deps),
    ...createForeseeingActivities(deps),
    ...createStoppingActivities(),
    ...createNightEndingActivities(deps),
    ...createDigestActivities(deps),
  };
}
