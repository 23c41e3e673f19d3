/**
 * Looks an artifact up before its stage is run. If it verifies, it is reused, in any run. If it is not there, the run claims it, or waits for the run
 * that has claimed it (makers.ts, which also says what a kill leads to).
 */
import { Context } from '@temporalio/activity';
import type { ArtifactRef } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import { claimArtifact, freeArtifact, makerOf } from './makers.ts';
import type { StoreDeps } from './deps.ts';
import { heartbeating } from '../heartbeating.ts';
import { stillMakes } from './still-makes.ts';

export interface LookedUp {
  key: string;
  artifact?: ArtifactRef;
  /** It is not there, and this run makes it now. */
  claimed?: true;
  /** It is not there, and this other run makes it. */
  heldBy?: string;
}

/** Pauses of a run that waits for another run's artifact, ms. The store is cheaper to ask than Temporal. */
const lookMs = 2000;
const looksForEachQuestion = 8;

export function createLookUpActivities({ store }: StoreDeps) {
  return {
    /** `run`: who wants it, and claims it if it is not there. Without it nothing is claimed. */
    async lookUpArtifact({
      stage,
      ingredients,
      run,
    }: {
      stage: Stage;
      ingredients: Record<string, unknown>;
      run?: string;
    }): Promise<LookedUp> {
      return heartbeating('verifying', async () => {
        const found = await store.find(stage, ingredients);
        const { key } = found;
        if (found.artifact !== undefined) return { key, artifact: found.artifact };
        if (run === undefined) return { key };
        const maker = await claimArtifact(store.root, { stage, key }, run, (one) => stillMakes(one, stage));
        if (maker !== run) return { key, heldBy: maker };
        // Its maker may have published it and let go between the look and the claim.
        const { artifact } = await store.find(stage, ingredients);
        if (artifact === undefined) return { key, claimed: true };
        await freeArtifact(store.root, { stage, key }, run);
        return { key, artifact };
      });
    },

    /** Returns when the artifact is there, or `heldBy` no longer makes it. Then it is looked up again. */
    async awaitArtifact({ stage, key, heldBy }: { stage: Stage; key: string; heldBy: string }): Promise<void> {
      await heartbeating(`run ${heldBy} makes it`, async () => {
        for (let look = 1; ; look += 1) {
          if ((await store.peek(stage, key)) !== undefined) return;
          if ((await makerOf(store.root, { stage, key })) !== heldBy) return;
          if (look % looksForEachQuestion === 1 && !(await stillMakes(heldBy, stage))) return;
          await Context.current().sleep(lookMs);
        }
      });
    },

    /** Lets another run make the artifact. Nothing happens if `run` had not claimed it. */
    async freeArtifact({ stage, key, run }: { stage: Stage; key: string; run: string }): Promise<void> {
      await freeArtifact(store.root, { stage, key }, run);
    },
  };
}
