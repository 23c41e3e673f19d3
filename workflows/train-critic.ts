/**
 * trainCritic: one run of a recipe.
 *
 *   1. check the dataset (a bad one fails the run: nothing was spent) and import trainer and base model
 *   2. synthesis: critiques                          prompts: what GRPO and predictions are asked
 *   3. mix: reasoning and direct records
 *   4. sft job          ∥ predictions of the base
 *   5. grpo job         ∥ predictions after SFT
 *   6. predictions after GRPO → evaluation → gate → report
 *
 * Each stage is looked up first: an artifact that exists and verifies is reused. What fails asks the operator.
 */
import { ActivityFailure, continueAsNew, isCancellation, log } from '@temporalio/workflow';
import type { PreparedRun } from '../activities/store/imports.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { activityId, type Stage } from '../domain/names.ts';
import { jobPlanned, type RunPlan } from '../domain/plan.ts';
import { llmActivities, paces, storeActivities } from './activity-options.ts';
import { openDesk, walkAt } from './job-desk.ts';
import { defaultLimits, persist, type RunLimits } from './persisting.ts';
import { finish, job, type Model, newState, type Run, type RunState, stage } from './run-stages.ts';

/** Result of a run: what the CLI prints and the next night builds on. */
export interface RunResult {
  passed: boolean;
  reasons: string[];
  mainScore: number | null;
  /** Path of `report.html` as the worker sees it. */
  report: string;
  /** The table of metrics as a terminal shows it, so that it is seen where the store is not. */
  summary: string;
  reused: Stage[];
}

/** `state` is for a run that continues as new: it goes on where it was, with its jobs, questions and artifacts. */
export async function trainCritic(
  plan: RunPlan,
  limits: RunLimits = defaultLimits,
  state: RunState = newState(plan),
): Promise<RunResult> {
  const run: Run = { plan, desk: openDesk(state.desk, plan.recipe.retries, limits), state };
  return walkAt(
    run.desk,
    () => walkStages(run),
    () => continueAsNew<typeof trainCritic>(run.plan, limits, state),
  );
}

async function walkStages(run: Run): Promise<RunResult> {
  const { dataset, imported } = await firstStage(run);
  await keepEstimate(run, dataset, imported);
  const prompts = await stage(run, 'prompts', 'render prompts', (options) =>
    storeActivities.writePrompts.executeWithOptions(options, [{ plan: run.plan, dataset }]),
  );
  const [, model] = await run.desk.cut.together([
    () => predict(run, imported, 'predict-base', imported.baseModel, prompts),
    () => train(run, imported, dataset, prompts),
  ]);
  if (model === undefined) throw new Error('training ended without a model');
  const predictions = await predict(run, imported, 'predict-grpo', model, prompts);
  if (predictions === undefined) throw new Error('the final predictions were skipped, and cannot be');
  return conclude(run, model.artifact, predictions);
}

/** For the report: what was expected, before it is spent. A night must not fail because nobody could foretell it. */
async function keepEstimate({ plan, state }: Run, dataset: ArtifactRef, imported: PreparedRun): Promise<void> {
  if (state.isEstimated) return;
  try {
    await storeActivities.estimateRun.executeWithOptions(
      { activityId: 'run-estimate', summary: 'what it will take', retry: { maximumAttempts: 3 } },
      [{ plan, dataset, imported }],
    );
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('the run goes on without an estimate', { reason: error.cause?.message ?? error.message });
  }
  state.isEstimated = true;
}

/** Synthesis, mix, SFT, GRPO; predictions after SFT run beside GRPO. */
async function train(
  run: Run,
  imported: PreparedRun,
  dataset: ArtifactRef,
  prompts: ArtifactRef,
): Promise<TrainedModel> {
  const { plan } = run;
  const synthesis = await stage(
    run,
    'synthesis',
    `critiques by ${plan.recipe.synthesis.model}`,
    (options) => llmActivities.synthesizeCritiques.executeWithOptions(options, [{ plan: run.plan, dataset }]),
    paces.llm,
  );
  const mix = await stage(run, 'mix', 'reasoning and direct records', (options) =>
    storeActivities.mixRecords.executeWithOptions(options, [{ plan: run.plan, dataset, synthesis }]),
  );
  const { steps } = jobPlanned('sft', plan.recipe, { records: mix.counts['records'] ?? 0, rows: null });
  const sft = await trainJob(run, imported, 'sft', imported.baseModel, { mix, dataset }, steps);
  const [grpo] = await run.desk.cut.together([
    () => trainJob(run, imported, 'grpo', sft, { prompts, dataset }, plan.recipe.grpo.steps),
    () => predict(run, imported, 'predict-sft', sft, prompts),
  ]);
  if (grpo === undefined) throw new Error('GRPO ended without a model');
  return grpo;
}

interface TrainedModel extends Model {
  artifact: ArtifactRef;
}

async function trainJob(
  run: Run,
  imported: PreparedRun,
  jobStage: 'sft' | 'grpo',
  model: Model,
  inputs: Record<string, ArtifactRef>,
  steps: number | null,
): Promise<TrainedModel> {
  const artifact = await job(run, imported, jobStage, model, inputs, { steps, rows: null });
  if (artifact === undefined) throw new Error(`stage ${jobStage} was skipped, and cannot be`);
  return { key: artifact.key, path: `${artifact.path}/model`, artifact };
}

async function predict(
  run: Run,
  imported: PreparedRun,
  jobStage: 'predict-base' | 'predict-sft' | 'predict-grpo',
  model: Model,
  prompts: ArtifactRef,
): Promise<ArtifactRef | undefined> {
  const { dataset } = run.state.artifacts;
  if (dataset === undefined) throw new Error('predictions were asked for before the dataset was checked');
  return job(
    run,
    imported,
    jobStage,
    model,
    { prompts, dataset },
    { steps: null, rows: prompts.counts['test'] ?? null },
  );
}

async function conclude(run: Run, candidate: ArtifactRef, predictions: ArtifactRef): Promise<RunResult> {
  const { desk, state } = run;
  const { artifacts, startedAt } = state;
  const evaluation = await stage(run, 'evaluation', 'agreement with people', (options) =>
    storeActivities.evaluatePredictions.executeWithOptions(options, [{ plan: run.plan, artifacts }]),
  );
  desk.board.start('gate', {});
  const gate = (state.gate ??= await persist(desk, 'gate', paces.store, (retry) =>
    storeActivities.judgeGate.executeWithOptions(
      {
        activityId: activityId('gate', 1, 'judge'),
        summary: `against champion ${run.plan.recipe.gate.champion}`,
        ...retry,
      },
      [{ plan: run.plan, evaluation, candidate, predictions }],
    ),
  ));
  desk.board.stage('gate', { status: 'done', note: gate.reasons.join('; ') });
  if (gate.mainScore !== null) desk.board.score(gate.mainScore);
  desk.board.start('report', {});
  const report = await persist(desk, 'report', paces.store, (retry) =>
    storeActivities.writeReport.executeWithOptions(
      { activityId: activityId('report', 1, 'write'), summary: 'report.html', ...retry },
      [{ plan: run.plan, artifacts, gate, jobs: desk.ledger, startedAt }],
    ),
  );
  desk.board.stage('report', { status: 'done', note: report.path });
  desk.board.end(gate.passed ? 'passed' : 'not-passed');
  const reused = Object.values(artifacts).filter((artifact) => artifact.reused);
  return {
    passed: gate.passed,
    reasons: gate.reasons,
    mainScore: gate.mainScore,
    report: report.path,
    summary: report.summary,
    reused: reused.map((artifact) => artifact.stage),
  };
}

/**
 * The dataset decides whether anything starts, so its faults end the run instead of asking. What cannot be imported asks: a
 * mount or a mode may be mended.
 */
async function firstStage(run: Run): Promise<{ dataset: ArtifactRef; imported: PreparedRun }> {
  const { desk, state } = run;
  if (state.artifacts.dataset !== undefined && state.imported !== undefined) {
    return { dataset: state.artifacts.dataset, imported: state.imported };
  }
  const id = activityId('dataset', 1, 'check');
  if (state.artifacts.dataset === undefined) desk.board.start('dataset', { activityId: id });
  const dataset = (state.artifacts.dataset ??= await persist(
    desk,
    'dataset',
    paces.store,
    (retry) =>
      storeActivities.checkDataset.executeWithOptions(
        { activityId: id, summary: 'rows, images, scores, splits', ...retry },
        [{ plan: run.plan }],
      ),
    { endsRun: true },
  ));
  const imported = (state.imported ??= await persist(desk, 'dataset', paces.store, (retry) =>
    storeActivities.prepareRun.executeWithOptions(
      { activityId: 'run-prepare', summary: 'import trainer code and base model', ...retry },
      [{ plan: run.plan }],
    ),
  ));
  finish(run, 'dataset', dataset);
  return { dataset, imported };
}
