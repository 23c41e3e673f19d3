/**
 * Scoring: what comes before its job, and what comes after. Before: the critic is found, its pairs are copied into the store, and the plan is written beside the
 * scoring, as that of a run. After: scores are written (`writing.ts`).
 *
 * kill -9 during the first: all of it is done again; what was published stands. The plan is replaced atomically by the same content.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import { cut } from '../../domain/errors.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { isSafeName, paths } from '../../domain/names.ts';
import { jobEngine, type RunPlan } from '../../domain/plan.ts';
import { type ScoringOrder, scoringStages } from '../../domain/scoring/scoring.ts';
import { scoringPlan } from '../../domain/scoring/scoring-job.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { refuse, translated } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { writePlan } from '../resuming/run-plans.ts';
import { findEngines } from '../store/engine.ts';
import { importTrainer, type ImportDeps, type PreparedRun } from '../store/imports.ts';
import { findCritic } from './critic.ts';
import { publishPairs } from './pairs-artifact.ts';
import { namedRows } from './rows.ts';
import { writeScores, type WriteScoresInput } from './writing.ts';

/** What the job of a scoring needs. */
export interface PreparedScoring {
  plan: RunPlan;
  imported: PreparedRun;
  critic: ArtifactRef;
  pairs: ArtifactRef;
  /** Which critic it is, for people. */
  words: string;
}

export function createScoringActivities({ store, job, pagesUrl, limits = [] }: ImportDeps) {
  return {
    /** Throws `ConfigInvalid` without such a critic, `DataInvalid` where there is not one pair that it can be asked about. */
    async prepareScoring({ order }: { order: ScoringOrder }): Promise<PreparedScoring> {
      const signal = Context.current().cancellationSignal;
      if (!isSafeName(order.id))
        throw refuse('ConfigInvalid', `id: expected the id of a scoring, got "${cut(order.id)}"`);
      return translated(`prepare ${order.id}`, signal, () =>
        heartbeating('checking', async (report) => {
          const { plan: theirs, artifact: critic, words } = await findCritic(store, order.critic, signal);
          const plan = scoringPlan(theirs, order);
          await writePlan(store.root, plan, async (kept) => isOfScoring(store.root, plan, kept));
          const trainer = await importTrainer(job.trainerSource, store.root);
          const engines = await findEngines(job, trainer, [jobEngine('predict', plan.recipe)]);
          const rows = await namedRows(order);
          const pairs = await publishPairs({ store, run: order.id, recipe: plan.recipe, rows, signal, report });
          const imported: PreparedRun = {
            trainer,
            engines,
            // No job of a scoring begins from the recipe's base model: the critic is in its place.
            baseModel: { key: critic.key, path: `${critic.path}/model` },
            pages: pagesUrl ?? null,
            ...(limits.length === 0 ? {} : { limits: [...limits] }),
          };
          return { plan, imported, critic, pairs, words };
        }),
      );
    },

    /** Writes scores, and where it is asked for agreement with people. */
    async writeScores(input: WriteScoresInput) {
      return translated(`write scores of ${input.order.id}`, Context.current().cancellationSignal, () =>
        writeScores(store, input),
      );
    },
  };
}

/** Is it the plan of this scoring? Its recipe is that of the critic, which may be a newer champion by the second try. */
export async function isOfScoring(root: string, { recipe: _own, ...plan }: RunPlan, kept: unknown): Promise<boolean> {
  const { recipe: _kept, ...rest } = z.looseObject({}).safeParse(kept).data ?? {};
  const stages = await namesIn(join(paths.run(root, plan.run), 'jobs'));
  return isDeepStrictEqual(rest, plan) && [...stages].every((stage) => stage === scoringStages.job);
}
