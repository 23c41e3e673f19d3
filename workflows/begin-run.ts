/** How a run begins: dataset, trainer and base model, and what it will take. Nothing is spent before. */
import { ActivityFailure, isCancellation, log } from '@temporalio/workflow';
import { activityId, type Stage } from '../domain/names.ts';
import type { StepOf } from '../domain/stage-graph.ts';
import { paces, storeActivities } from './activity-options.ts';
import { endEarlierJobs, isResumed } from './jobs/earlier-runs.ts';
import { persist } from './persisting.ts';
import { artifactOf, finish, importedOf, type Run } from './run-stages.ts';

/**
 * The dataset decides whether anything starts, so its faults end the run instead of asking. What cannot be imported asks: a
 * mount or a mode may be mended.
 */
export async function beginRun(run: Run, { name }: StepOf<'dataset'>): Promise<void> {
  const { desk, state } = run;
  if (state.isEstimated) return;
  const id = activityId(name, 1, 'check');
  if (state.artifacts[name] === undefined) desk.board.start(name, { activityId: id });
  const dataset = (state.artifacts[name] ??= await persist(
    desk,
    name,
    paces.store,
    (retry) =>
      storeActivities.checkDataset.executeWithOptions(
        { activityId: id, summary: 'rows, images, scores, splits', ...retry },
        [{ plan: run.plan }],
      ),
    { endsRun: true },
  ));
  state.imported ??= await persist(desk, name, paces.store, (retry) =>
    storeActivities.prepareRun.executeWithOptions(
      { activityId: 'run-prepare', summary: 'import trainer code and base model', ...retry },
      [{ plan: run.plan }],
    ),
  );
  if (state.imported.pages !== undefined) desk.board.servedAt(state.imported.pages);
  if (isResumed(run.plan) && state.earlierEnded !== true) await endEarlierJobs(run.plan, desk, name);
  state.earlierEnded = true;
  finish(run, name, dataset);
  await keepEstimate(run, name);
}

/** For the report: what was expected, before it is spent. A night must not fail because nobody could foretell it. */
async function keepEstimate(run: Run, dataset: Stage): Promise<void> {
  try {
    await storeActivities.estimateRun.executeWithOptions(
      { activityId: 'run-estimate', summary: 'what it will take', retry: { maximumAttempts: 3 } },
      [{ plan: run.plan, dataset: artifactOf(run, dataset), imported: importedOf(run) }],
    );
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('the run goes on without an estimate', { reason: error.cause?.message ?? error.message });
  }
  run.state.isEstimated = true;
}
