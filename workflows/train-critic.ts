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
import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation, log } from '@temporalio/workflow';
import { type JobOrder, jobIngredients } from '../domain/job-spec.ts';
import type { PreparedRun } from '../activities/imports.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { activityId, type JobStage, type Stage } from '../domain/names.ts';
import { jobParams, jobResources, jobThreads, type RunPlan, sftSteps } from '../domain/plan.ts';
import { llmActivities, storeActivities } from './activity-options.ts';
import { OperatorDesk } from './operator.ts';
import { RunBoard } from './run-board.ts';
import { type JobDesk, runSlurmJob } from './run-slurm-job.ts';

/** Result of a run: what the CLI prints and the next night builds on. */
export interface RunResult {
  passed: boolean;
  reasons: string[];
  mainScore: number | null;
  report: string;
  reused: Stage[];
}

interface Run {
  plan: RunPlan;
  desk: JobDesk;
  artifacts: Partial<Record<Stage, ArtifactRef>>;
  trainer: string;
  baseModel: { key: string; path: string };
}

export async function trainCritic(plan: RunPlan): Promise<RunResult> {
  const board = new RunBoard(plan);
  const operator = new OperatorDesk(board, plan.run);
  const desk: JobDesk = { board, operator, retries: plan.recipe.retries, ledger: [] };
  try {
    return await walkStages(plan, desk);
  } catch (error) {
    board.status(isCancellation(error) ? 'cancelled' : 'aborted');
    throw error;
  }
}

async function walkStages(plan: RunPlan, desk: JobDesk): Promise<RunResult> {
  const startedAt = new Date().toISOString();
  const dataset = await firstStage(plan, desk);
  const imported = await storeActivities.prepareRun.executeWithOptions(
    { activityId: 'run-prepare', summary: 'import trainer code and base model' },
    [{ plan }],
  );
  const run: Run = { plan, desk, artifacts: { dataset }, trainer: imported.trainer, baseModel: imported.baseModel };
  await keepEstimate(plan, dataset, imported);
  const prompts = await stage(run, 'prompts', 'render prompts', (options) =>
    storeActivities.writePrompts.executeWithOptions(options, [{ plan, dataset }]),
  );
  const [, model] = await together([
    () => predict(run, 'predict-base', imported.baseModel, prompts),
    () => train(run, dataset, prompts),
  ]);
  if (model === undefined) throw new Error('training ended without a model');
  const predictions = await predict(run, 'predict-grpo', model, prompts);
  if (predictions === undefined) throw new Error('the final predictions were skipped, and cannot be');
  return conclude(run, startedAt, model.artifact, predictions);
}

/** For the report: what was expected, before it is spent. A night must not fail because nobody could foretell it. */
async function keepEstimate(plan: RunPlan, dataset: ArtifactRef, imported: PreparedRun): Promise<void> {
  try {
    await storeActivities.estimateRun.executeWithOptions(
      { activityId: 'run-estimate', summary: 'what it will take', retry: { maximumAttempts: 3 } },
      [{ plan, dataset, imported }],
    );
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('the run goes on without an estimate', { reason: error.cause?.message ?? error.message });
  }
}

/** Synthesis, mix, SFT, GRPO; predictions after SFT run beside GRPO. */
async function train(run: Run, dataset: ArtifactRef, prompts: ArtifactRef): Promise<TrainedModel> {
  const { plan } = run;
  const synthesis = await stage(run, 'synthesis', `critiques by ${plan.recipe.synthesis.model}`, (options) =>
    llmActivities.synthesizeCritiques.executeWithOptions(options, [{ plan: run.plan, dataset }]),
  );
  const mix = await stage(run, 'mix', 'reasoning and direct records', (options) =>
    storeActivities.mixRecords.executeWithOptions(options, [{ plan, dataset, synthesis }]),
  );
  const steps = sftSteps(mix.counts['records'] ?? 0, plan.recipe.sft);
  const sft = await trainJob(run, 'sft', run.baseModel, { mix, dataset }, steps);
  const [grpo] = await together([
    () => trainJob(run, 'grpo', sft, { prompts, dataset }, plan.recipe.grpo.steps),
    () => predict(run, 'predict-sft', sft, prompts),
  ]);
  if (grpo === undefined) throw new Error('GRPO ended without a model');
  return grpo;
}

interface Model {
  key: string;
  path: string;
}
interface TrainedModel extends Model {
  artifact: ArtifactRef;
}

async function trainJob(
  run: Run,
  jobStage: 'sft' | 'grpo',
  model: Model,
  inputs: Record<string, ArtifactRef>,
  steps: number,
): Promise<TrainedModel> {
  const artifact = await job(run, jobStage, model, inputs, { steps, rows: null });
  if (artifact === undefined) throw new Error(`stage ${jobStage} was skipped, and cannot be`);
  return { key: artifact.key, path: `${artifact.path}/model`, artifact };
}

async function predict(
  run: Run,
  jobStage: 'predict-base' | 'predict-sft' | 'predict-grpo',
  model: Model,
  prompts: ArtifactRef,
): Promise<ArtifactRef | undefined> {
  const { dataset } = run.artifacts;
  if (dataset === undefined) throw new Error('predictions were asked for before the dataset was checked');
  return job(run, jobStage, model, { prompts, dataset }, { steps: null, rows: prompts.counts['test'] ?? null });
}

/** One job stage: looked up, else run. */
async function job(
  run: Run,
  jobStage: JobStage,
  model: Model,
  inputs: Record<string, ArtifactRef>,
  planned: JobOrder['planned'],
): Promise<ArtifactRef | undefined> {
  const { recipe } = run.plan;
  const params = jobParams(jobStage, recipe);
  const keys = Object.fromEntries(Object.entries(inputs).map(([name, artifact]) => [name, artifact.key]));
  const ingredients = jobIngredients({ stage: jobStage, params, seed: recipe.seed }, model.key, keys, run.trainer);
  const found = await storeActivities.lookUpArtifact.executeWithOptions(
    { activityId: activityId(jobStage, 0, 'look-up'), summary: `is ${jobStage} done already?` },
    [{ stage: jobStage, ingredients }],
  );
  if (found.artifact !== undefined) return finish(run, jobStage, found.artifact);
  const order: JobOrder = {
    run: run.plan.run,
    stage: jobStage,
    key: found.key,
    ingredients,
    model: model.path,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, artifact]) => [name, artifact.path])),
    params,
    seed: recipe.seed,
    threads: jobThreads(jobStage, recipe),
    planned,
    resources: jobResources(jobStage, recipe),
    watch: recipe.watch,
    trainer: run.trainer,
  };
  const made = await runSlurmJob(order, run.desk, jobStage === 'predict-base' || jobStage === 'predict-sft');
  if (made === undefined) {
    run.desk.board.stage(jobStage, { status: 'skipped', note: 'skipped by the operator' });
    return undefined;
  }
  return finish(run, jobStage, made);
}

async function conclude(
  run: Run,
  startedAt: string,
  candidate: ArtifactRef,
  predictions: ArtifactRef,
): Promise<RunResult> {
  const { plan, desk, artifacts } = run;
  const evaluation = await stage(run, 'evaluation', 'agreement with people', (options) =>
    storeActivities.evaluatePredictions.executeWithOptions(options, [{ plan, artifacts }]),
  );
  desk.board.stage('gate', { status: 'running' });
  const gate = await asked(run, 'gate', () =>
    storeActivities.judgeGate.executeWithOptions(
      { activityId: activityId('gate', 1, 'judge'), summary: `against champion ${plan.recipe.gate.champion}` },
      [{ plan, evaluation, candidate, predictions }],
    ),
  );
  desk.board.stage('gate', { status: 'done', note: gate.reasons.join('; ') });
  if (gate.mainScore !== null) desk.board.score(gate.mainScore);
  desk.board.stage('report', { status: 'running' });
  const report = await asked(run, 'report', () =>
    storeActivities.writeReport.executeWithOptions(
      { activityId: activityId('report', 1, 'write'), summary: 'report.html' },
      [{ plan, artifacts, gate, jobs: desk.ledger, startedAt }],
    ),
  );
  desk.board.stage('report', { status: 'done', note: report.path });
  desk.board.status(gate.passed ? 'passed' : 'not-passed');
  const reused = Object.values(artifacts).filter((artifact) => artifact.reused);
  return {
    passed: gate.passed,
    reasons: gate.reasons,
    mainScore: gate.mainScore,
    report: report.path,
    reused: reused.map((artifact) => artifact.stage),
  };
}

/** The dataset decides whether anything starts, so its faults end the run instead of asking. */
async function firstStage(plan: RunPlan, desk: JobDesk): Promise<ArtifactRef> {
  desk.board.stage('dataset', { status: 'running', activityId: activityId('dataset', 1, 'check') });
  const dataset = await storeActivities.checkDataset.executeWithOptions(
    { activityId: activityId('dataset', 1, 'check'), summary: 'rows, images, scores, splits' },
    [{ plan }],
  );
  desk.board.stage('dataset', { status: dataset.reused ? 'reused' : 'done', artifact: dataset.path });
  return dataset;
}

/** A stage that is one activity: shown, run, asked about if it fails, remembered. */
async function stage(
  run: Run,
  name: Stage,
  summary: string,
  work: (options: { activityId: string; summary: string }) => Promise<ArtifactRef>,
): Promise<ArtifactRef> {
  const artifact = await asked(run, name, (attempt) => {
    const id = activityId(name, attempt, 'make');
    run.desk.board.stage(name, { status: 'running', attempt, activityId: id });
    return work({ activityId: id, summary });
  });
  return finish(run, name, artifact);
}

function finish(run: Run, name: Stage, artifact: ArtifactRef): ArtifactRef {
  run.artifacts[name] = artifact;
  run.desk.board.stage(name, { status: artifact.reused ? 'reused' : 'done', artifact: artifact.path });
  return artifact;
}

/** Runs `work` until it succeeds; a failure that retrying by itself cannot mend is put to the operator. */
async function asked<T>(run: Run, name: Stage, work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      const sentence = error.cause?.message ?? error.message;
      log.warn('stage failed, asking the operator', { stage: name, sentence });
      const answer = await run.desk.operator.ask({ stage: name, sentence, logTail: '', canSkip: false });
      if (answer.action === 'abort') {
        throw ApplicationFailure.nonRetryable(`stage ${name} aborted by the operator: ${sentence}`, 'Aborted');
      }
      if (answer.budgetUsd !== undefined) run.plan = withBudget(run.plan, answer.budgetUsd);
    }
  }
}

/** The plan with another cap for synthesis. The cap is in no artifact's key: what is paid for stays. */
function withBudget(plan: RunPlan, usd: number): RunPlan {
  const { recipe } = plan;
  return { ...plan, recipe: { ...recipe, synthesis: { ...recipe.synthesis, budget_usd: usd } } };
}

/** Runs branches side by side; if one fails, the others are cancelled and awaited before its error goes on. */
async function together<A, B>(branches: [() => Promise<A>, () => Promise<B>]): Promise<[A | undefined, B | undefined]> {
  const scope = new CancellationScope();
  return scope.run(async () => {
    const [first, second] = branches;
    let failure: unknown;
    const guard = async <T>(branch: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await branch();
      } catch (error) {
        if (failure === undefined) {
          failure = error;
          scope.cancel();
        }
        return undefined;
      }
    };
    const results = await Promise.all([guard(first), guard(second)]);
    if (failure !== undefined) throw failure;
    return results;
  });
}
