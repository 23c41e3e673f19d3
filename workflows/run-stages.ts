/**
 * Stages: how any stage of a run is done. It is taken from the run's state if it is done; otherwise it is looked up, made, shown, asked
 * about if it fails, and remembered. The graph (`domain/stage-graph.ts`) says which stages there are, and in what order.
 */
import type { Activities } from '../activities/index.ts';
import type { PreparedRun } from '../activities/store/imports.ts';
import { ingredientsUnder } from '../domain/anew.ts';
import { orderJob } from '../domain/jobs/job-order.ts';
import type { JobOrder } from '../domain/jobs/job-spec.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { activityId, type JobStage, type Stage } from '../domain/names.ts';
import type { OperatorAnswer } from '../domain/operator-answer.ts';
import type { RunPlan } from '../domain/plan.ts';
import { teacherNeeded } from '../domain/recipe/arms.ts';
import { type JobNode, stageNames } from '../domain/stage-graph.ts';
import { ingredientsOfJob } from '../domain/stage-keys.ts';
import { turnsFor } from '../domain/keeping/turns.ts';
import { paces, type RetryPace, type RoundRetry, storeActivities } from './activity-options.ts';
import { isResumed, takeOver } from './jobs/earlier-runs.ts';
import { type DeskState, type JobDesk, newDesk } from './jobs/job-desk.ts';
import { persist } from './persisting.ts';
import { runSlurmJob } from './jobs/run-slurm-job.ts';
import { awaitMaker } from './jobs/stand-aside.ts';

/** What a run knows of itself: plain data, which is changed in place and taken along when the run continues as new. */
export interface RunState {
  desk: DeskState;
  startedAt: string;
  imported?: PreparedRun;
  isEstimated: boolean;
  /** Jobs of the runs that this one resumes are gone. */
  earlierEnded?: boolean;
  artifacts: Partial<Record<Stage, ArtifactRef>>;
  /** Keys of the artifacts that jobs under way will make. */
  keys: Partial<Record<JobStage, string>>;
  /** Stages whose artifact other runs wait for, if they need it. */
  claimed?: Partial<Record<JobStage, true>>;
  skipped: JobStage[];
  gate?: Awaited<ReturnType<Activities['judgeGate']>>;
  report?: Awaited<ReturnType<Activities['writeReport']>>;
}

/** A run under way. Its plan changes when the operator raises a cap. */
export interface Run {
  plan: RunPlan;
  desk: JobDesk;
  state: RunState;
}

export function newState({ run, recipe, resumes }: RunPlan): RunState {
  const startedAt = new Date().toISOString();
  const desk = newDesk(run, recipe.name, stageNames(recipe), resumes);
  return { desk, startedAt, isEstimated: false, artifacts: {}, keys: {}, skipped: [] };
}

/** Artifact of a stage that has ended. Throws if there is none. That is a bug: nothing that needs it is begun without it. */
export function artifactOf({ state }: Run, stage: Stage): ArtifactRef {
  const artifact = state.artifacts[stage];
  if (artifact === undefined) throw new Error(`the artifact of stage "${stage}" is needed and is not there`);
  return artifact;
}

export function importedOf({ state }: Run): PreparedRun {
  if (state.imported === undefined) throw new Error('trainer and base model are needed and are not imported');
  return state.imported;
}

/** One job stage: looked up, else run. It ends without an artifact if the operator skips it. */
export async function runJobStage(run: Run, node: JobNode): Promise<void> {
  const { artifacts, skipped } = run.state;
  const { name } = node;
  if (artifacts[name] !== undefined || skipped.includes(name)) return;
  const usual = ingredientsOfJob(node, importedOf(run), (stage) => artifactOf(run, stage).key);
  const ingredients = ingredientsUnder(run.plan, name, usual);
  const { key, artifact: found } = await lookUp(run, name, ingredients);
  const order = orderOf(run, node, key, ingredients);
  if (found === undefined && isResumed(run.plan)) await takeOver(run.plan, run.desk, order);
  const artifact = found ?? (await runSlurmJob(order, run.desk, node.canSkip));
  if (artifact !== undefined) return finish(run, name, artifact);
  skipped.push(name);
  // A run that has not claimed must not wait here: the order of its commands would change.
  if (run.state.claimed?.[name] === true) await letGo(run, name, key);
  run.desk.board.stage(name, { status: 'skipped', note: 'skipped by the operator' });
}

function orderOf(run: Run, node: JobNode, key: string, ingredients: JobOrder['ingredients']): JobOrder {
  run.state.keys[node.name] = key;
  const { limits = [] } = importedOf(run);
  const turns = turnsFor(limits, node.kind, node.resources.account);
  const order = orderJob(node, run.plan, importedOf(run), (stage) => artifactOf(run, stage), { key, ingredients });
  return turns.length === 0 ? order : { ...order, turns };
}

/**
 * Is the stage's artifact there already? If another run makes it, it is waited for. It is not asked for a job that began before the run continued as
 * new.
 */
async function lookUp(
  { plan, desk, state }: Run,
  stage: JobStage,
  ingredients: Record<string, unknown>,
): Promise<{ key: string; artifact?: ArtifactRef }> {
  const known = state.keys[stage];
  if (known !== undefined) return { key: known };
  for (;;) {
    const found = await persist(desk, stage, paces.store, (retry) =>
      storeActivities.lookUpArtifact.executeWithOptions(
        { activityId: activityId(stage, 0, 'look-up'), summary: `is ${stage} done already?`, ...retry },
        [{ stage, ingredients, run: plan.run }],
      ),
    );
    if (found.claimed === true) state.claimed = { ...state.claimed, [stage]: true };
    if (found.heldBy === undefined) return found;
    await awaitMaker(desk, stage, found.key, found.heldBy);
  }
}

/** A stage that is skipped is free for other runs. */
async function letGo({ plan, desk }: Run, stage: JobStage, key: string): Promise<void> {
  await persist(desk, stage, paces.store, (retry) =>
    storeActivities.freeArtifact.executeWithOptions(
      { activityId: activityId(stage, 0, 'free'), summary: `${stage} is skipped: another run may make it`, ...retry },
      [{ stage, key, run: plan.run }],
    ),
  );
}

/** What the activity of a step is given. */
export type StepOptions = { activityId: string; summary: string } & RoundRetry;

/**
 * A stage that is made by one activity, `work`: shown, run, asked about if it fails, remembered. `onBroken` is given what ends the work for good, and throws
 * it, or returns when the work is to begin again.
 */
export async function runStep<Role extends string>(
  run: Run,
  { name, inputs }: { name: Stage; inputs: { readonly [One in Role]?: Stage } },
  summary: string,
  work: (options: StepOptions, input: (role: Role) => ArtifactRef) => Promise<ArtifactRef>,
  pace: RetryPace = paces.store,
  onBroken?: (error: unknown) => Promise<void>,
): Promise<void> {
  const { desk, state } = run;
  if (state.artifacts[name] !== undefined) return;
  const id = activityId(name, 1, 'make');
  desk.board.start(name, { activityId: id });
  const onAnswer = ({ budgetUsd }: OperatorAnswer) => {
    if (budgetUsd !== undefined) run.plan = withBudget(run.plan, budgetUsd);
  };
  const input = (role: Role) => {
    const stage = inputs[role];
    if (stage === undefined) throw new Error(`stage "${name}" is not made from any ${role}`);
    return artifactOf(run, stage);
  };
  for (;;) {
    try {
      const tried = (retry: RoundRetry) => work({ activityId: id, summary, ...retry }, input);
      const made = await persist(desk, name, pace, tried, { onAnswer });
      return finish(run, name, made);
    } catch (error) {
      if (onBroken === undefined) throw error;
      await onBroken(error);
    }
  }
}

export function finish(run: Run, name: Stage, artifact: ArtifactRef): void {
  run.state.artifacts[name] = artifact;
  run.desk.board.stage(name, { status: artifact.reused ? 'reused' : 'done', artifact: artifact.path });
}

/** The plan with another cap for synthesis. The cap is in no artifact's key, so what is paid for is kept. */
export function withBudget(plan: RunPlan, usd: number): RunPlan {
  const { recipe } = plan;
  return { ...plan, recipe: { ...recipe, synthesis: { ...teacherNeeded(recipe), budget_usd: usd } } };
}
