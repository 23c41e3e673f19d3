/** Will a night's run make its deadline? It only looks: at the run's estimate in the store, at its view, and at the heartbeats of what it does. */
import { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import type { RunView, StageProgress } from '../../domain/jobs/progress.ts';
import { secondsLeft, type SeenRun } from '../../domain/nights/night-eta.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { readEstimate } from '../estimate/estimate-file.ts';
import { heartbeating } from '../heartbeating.ts';
import type { StoreDeps } from '../store/deps.ts';

const pauseMs = 30_000;

export interface ForeseeRequest {
  run: string;
  recipe: Recipe;
  /** ISO, UTC. */
  deadline: string;
}

export function createForeseeingActivities({ store }: StoreDeps) {
  return {
    /** Returns when it is known that the run will not have ended by the deadline, with the earliest time at which it may end; or null, at the deadline. */
    async foreseeNight({ run, recipe, deadline }: ForeseeRequest): Promise<{ endsAt: string | null }> {
      return heartbeating('foreseeing', async () => {
        const until = new Date(deadline).getTime();
        while (Date.now() < until) {
          const seen = await seenRun(run, await readEstimate(store.root, run));
          const endsAt = Date.now() + 1000 * secondsLeft(recipe, seen, new Date());
          if (endsAt > until) return { endsAt: new Date(endsAt).toISOString() };
          await Context.current().sleep(Math.min(pauseMs, Math.max(1, until - Date.now())));
        }
        return { endsAt: null };
      });
    },
  };
}

async function seenRun(run: string, estimate: RunEstimate | undefined): Promise<SeenRun> {
  const handle = Context.current().client.workflow.getHandle(run);
  const { raw } = await handle.describe();
  const progress = (raw.pendingActivities ?? []).flatMap(
    ({ activityId, heartbeatDetails }): [string, StageProgress][] => {
      const [payload] = heartbeatDetails?.payloads ?? [];
      if (typeof activityId !== 'string' || payload === undefined) return [];
      return [[activityId, defaultPayloadConverter.fromPayload<StageProgress>(payload)]];
    },
  );
  return { estimate, view: await handle.query<RunView>('view'), progress: Object.fromEntries(progress) };
}
