/** Looks an artifact up before its stage is run. If it verifies, it is reused, in any run. */
import type { ArtifactRef } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import type { StoreDeps } from './deps.ts';
import { heartbeating } from '../heartbeating.ts';

export function createLookUpActivities(deps: StoreDeps) {
  return {
    async lookUpArtifact(input: {
      stage: Stage;
      ingredients: Record<string, unknown>;
    }): Promise<{ key: string; artifact?: ArtifactRef }> {
      const { key, artifact } = await heartbeating('verifying', () => deps.store.find(input.stage, input.ingredients));
      return artifact === undefined ? { key } : { key, artifact };
    },
  };
}
