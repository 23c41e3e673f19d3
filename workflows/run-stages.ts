/**
 * Stages: how one stage of a run is done, whichever it is: taken from the run's state if it is done, looked up, made, shown, asked
 * about if it fails, remembered. Which stages there are, and in what order, is `train-critic`'s.
 */
import type { Activities } from '../activities/index.ts';
import type { PreparedRun } from '../activities/store/imports.ts';
import { type JobOrder, jobIngredients } from '../domain/jobs/job-spec.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { activityId, type JobStage, type Stage } from '../domain/names.ts';
import type { OperatorAnswer } from '../domain/operator-answer.ts';
import { jobKind, jobParams, jobResources, jobThreads, type RunPlan } from '../domain/plan.ts';
import { paces, type RetryPace, type RoundRetry, storeActivities } from './activity-options.ts';
import { type DeskState, type JobDesk, newDesk } from './job-desk.ts';
import { persist } from './persisting.ts';
import { runSlurmJob } from './run-slurm-job.ts';

/** What a run knows of itself: plain data, changed in place, carried over when the run continues as new. */
export interface RunState {
  desk: DeskState;
  startedAt: string;
  imported?: PreparedRun;
  isEstimated: boolean;
  artifacts: Partial<Record<Stage, ArtifactRef>>;
  /** Keys of the artifacts that jobs under way will make. */
  keys: Partial<Record<JobStage, string>>;
  skipped: JobStage[];
  gate?: Awaited<ReturnType<Activities['judgeGate']>>;
}

export interface Run {
  plan: RunPlan;
  desk: JobDesk;
  state: RunState;
}

export function newState({ run, recipe }: RunPlan): RunState {
  const startedAt = new Date().toISOString();
  return { desk: newDesk(run, recipe.name), startedAt, isEstimated: false, artifacts: {}, keys: {}, skipped: [] };
}

export interface Model {
  key: string;
  path: string;
}
/** One job stage: looked up, else run. */
export async function job(
  run: Run,
  { trainer, baseModel, engines }: PreparedRun,
  jobStage: JobStage,
  model: Model,
  inputs: Record<string, ArtifactRef>,
  planned: JobOrder['planned'],
): Promise<ArtifactRef | undefined> {
  const { recipe } = run.plan;
  const { artifacts, keys, skipped } = run.state;
  const made = artifacts[jobStage];
  if (made !== undefined || skipped.includes(jobStage)) return made;
  const engine = engines[jobKind(jobStage)];
  const what = { params: jobParams(jobStage, recipe), seed: recipe.seed, trainer, engine };
  const inputKeys = Object.fromEntries(Object.entries(inputs).map(([name, artifact]) => [name, artifact.key]));
  const ingredients = jobIngredients(what, model.key, inputKeys);
  const found = await lookUp(run, jobStage, ingredients);
  if (found.artifact !== undefined) return finish(run, jobStage, found.artifact);
  keys[jobStage] = found.key;
  const order: JobOrder = {
    run: run.plan.run,
    stage: jobStage,
    key: found.key,
    ingredients,
    ...what,
    model: model.path,
    ...(model.key === baseModel.key ? { baseModel: model.key } : {}),
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, artifact]) => [name, artifact.path])),
    threads: jobThreads(jobStage, recipe),
    planned,
    resources: jobResources(jobStage, recipe),
    watch: recipe.watch,
  };
  const artifact = await runSlurmJob(order, run.desk, jobStage === 'predict-base' || jobStage === 'predict-sft');
  if (artifact !== undefined) return finish(run, jobStage, artifact);
  skipped.push(jobStage);
  run.desk.board.stage(jobStage, { status: 'skipped', note: 'skipped by the operator' });
  return undefined;
}

/** Is the stage's artifact there already? Not asked for a job that is under way since before the run continued as new. */
async function lookUp(
  { desk, state }: Run,
  jobStage: JobStage,
  ingredients: Record<string, unknown>,
): Promise<{ key: string; artifact?: ArtifactRef }> {
  const key = state.keys[jobStage];
  if (key !== undefined) return { key };
  return persist(desk, jobStage, paces.store, (retry) =>
    storeActivities.lookUpArtifact.executeWithOptions(
      { activityId: activityId(jobStage, 0, 'look-up'), summary: `is ${jobStage} done already?`, ...retry },
      [{ stage: jobStage, ingredients }],
    ),
  );
}

/** A stage that is one activity: shown, run, asked about if it fails, remembered. */
export async function stage(
  run: Run,
  name: Stage,
  summary: string,
  work: (options: { activityId: string; summary: string } & RoundRetry) => Promise<ArtifactRef>,
  pace: RetryPace = paces.store,
): Promise<ArtifactRef> {
  const { desk, state } = run;
  const made = state.artifacts[name];
  if (made !== undefined) return made;
  const id = activityId(name, 1, 'make');
  desk.board.start(name, { activityId: id });
  const onAnswer = ({ budgetUsd }: OperatorAnswer) => {
    if (budgetUsd !== undefined) run.plan = withBudget(run.plan, budgetUsd);
  };
  const artifact = await persist(desk, name, pace, (retry) => work({ activityId: id, summary, ...retry }), {
    onAnswer,
  });
  return finish(run, name, artifact);
}

export function finish(run: Run, name: Stage, artifact: ArtifactRef): ArtifactRef {
  run.state.artifacts[name] = artifact;
  run.desk.board.stage(name, { status: artifact.reused ? 'reused' : 'done', artifact: artifact.path });
  return artifact;
}

/** The plan with another cap for synthesis. The cap is in no artifact's key: what is paid for stays. */
function withBudget(plan: RunPlan, usd: number): RunPlan {
  const { recipe } = plan;
  return { ...plan, recipe: { ...recipe, synthesis: { ...recipe.synthesis, budget_usd: usd } } };
}
