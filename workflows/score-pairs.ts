/**
 * scorePairs: a critic that stands judges pairs of a person (`domain/scoring/scoring.ts`).
 *
 *   1. find the critic, copy the pairs into the store: what is wrong with all of them ends it, since nothing is spent yet
 *   2. one prediction job, run, watched and resumed as those of a run are: a new attempt answers only the pairs that no checkpoint has
 *   3. write scores, critiques and the page
 *
 * It shows itself as a run does, and is answered, paused and cancelled like one.
 */
import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { PreparedScoring } from '../activities/scoring/scoring.ts';
import { activityId } from '../domain/names.ts';
import { pairsInWords, type ScoringOrder, type ScoringResult, scoringStages } from '../domain/scoring/scoring.ts';
import { criticStage, scoringNode } from '../domain/scoring/scoring-job.ts';
import { paces, storeActivities } from './activity-options.ts';
import { endEarlierJobs, isResumed } from './jobs/earlier-runs.ts';
import { refuse } from './failure.ts';
import { type JobDesk, newDesk, openDesk, walkAt } from './jobs/job-desk.ts';
import { defaultLimits, persist, type RunLimits } from './persisting.ts';
import { artifactOf, finish, type Run, runJobStage, type RunState } from './run-stages.ts';

/** What a scoring knows of itself, and takes along when it continues as new. */
interface ScoringState extends RunState {
  prepared?: PreparedScoring;
  result?: ScoringResult;
}

/** Of a scoring whose plan is not known yet; it has no job then. */
const untilPrepared = { max_attempts: 6, policy: {} };

function newScoring({ id, resumes }: ScoringOrder): ScoringState {
  const desk = newDesk(id, 'score', Object.values(scoringStages), resumes);
  return { desk, startedAt: new Date().toISOString(), isEstimated: true, artifacts: {}, keys: {}, skipped: [] };
}

export async function scorePairs(
  order: ScoringOrder,
  limits: RunLimits = defaultLimits,
  state: ScoringState = newScoring(order),
): Promise<ScoringResult> {
  const desk = openDesk(state.desk, state.prepared?.plan.recipe.retries ?? untilPrepared, limits);
  return walkAt(
    desk,
    async () => {
      requireOwnId(order);
      const { plan, words } = await prepare(order, desk, state);
      const run: Run = { plan, desk, state };
      await runJobStage(run, scoringNode(plan.recipe));
      const result = await write(order, words, run, state);
      desk.board.end('passed');
      return result;
    },
    () => continueAsNew<typeof scorePairs>(order, limits, state),
  );
}

/** Its job is named after it, and answers and the reaper go by that name to the workflow. */
function requireOwnId({ id }: ScoringOrder): void {
  const { workflowId } = workflowInfo();
  if (id !== workflowId)
    throw refuse('ConfigInvalid', `order.id: expected the workflow's id, "${workflowId}", got "${id}"`);
}

async function prepare(order: ScoringOrder, desk: JobDesk, state: ScoringState): Promise<PreparedScoring> {
  if (state.prepared !== undefined) return state.prepared;
  const { pairs: name } = scoringStages;
  const id = activityId(name, 1, 'make');
  desk.board.start(name, { activityId: id });
  const prepared = await persist(
    desk,
    name,
    paces.store,
    (retry) =>
      storeActivities.prepareScoring.executeWithOptions(
        { activityId: id, summary: 'find the critic, copy the pairs', ...retry },
        [{ order }],
      ),
    { endsRun: true },
  );
  const { plan, imported, critic, pairs } = prepared;
  if (isResumed(plan)) await endEarlierJobs(plan, desk, name);
  state.imported = imported;
  state.artifacts[criticStage] = critic;
  desk.retries = plan.recipe.retries;
  if (imported.pages !== undefined) desk.board.servedAt(imported.pages);
  const { refused = 0, test = 0 } = pairs.counts;
  finish({ plan, desk, state }, name, pairs);
  desk.board.stage(name, {
    note: `${pairsInWords(test)}${refused === 0 ? '' : `; ${refused} cannot be shown to a critic`}`,
  });
  state.prepared = prepared;
  return prepared;
}

async function write(order: ScoringOrder, words: string, run: Run, state: ScoringState): Promise<ScoringResult> {
  const { desk, plan } = run;
  const { pairs, job, report: name } = scoringStages;
  desk.board.start(name, {});
  const result = (state.result ??= await persist(desk, name, paces.store, (retry) =>
    storeActivities.writeScores.executeWithOptions(
      { activityId: activityId(name, 1, 'write'), summary: 'scores, critiques, page', ...retry },
      [{ order, plan, words, pairs: artifactOf(run, pairs), predictions: artifactOf(run, job) }],
    ),
  ));
  desk.board.stage(name, { status: 'done', note: result.files.html });
  return result;
}
