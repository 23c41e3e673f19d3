/**
 * trainCritic: one run of a recipe. It walks the stages of the recipe's graph (`domain/stage-graph.ts`). A stage begins as soon as
 * what it is made from is there. The usual recipe gives this:
 *
 *   dataset ─▶ synthesis ─▶ mix ─▶ sft job ─▶ grpo job ─▶ predictions after GRPO ─▶ evaluation ─▶ gate ─▶ report
 *         └──▶ prompts              ∥ predictions of the base  ∥ predictions after SFT
 *
 * The dataset comes first and alone: a bad one fails the run before anything is spent. Each stage is looked up, and an artifact that
 * exists and verifies is reused. A recipe may leave out SFT and the teacher (`domain/recipe/arms.ts`). If a stage fails, the operator is asked.
 */
import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { RunPlan } from '../domain/plan.ts';
import { stageGraph, type StageNode, upstream } from '../domain/stage-graph.ts';
import { storeActivities } from './activity-options.ts';
import { beginRun } from './begin-run.ts';
import { judge, report, resultOf, type RunResult } from './conclude-run.ts';
import { refuse } from './failure.ts';
import { openDesk, walkAt } from './jobs/job-desk.ts';
import { defaultLimits, type RunLimits } from './persisting.ts';
import { newState, type Run, runJobStage, type RunState, runStep } from './run-stages.ts';
import { synthesize } from './synthesizing.ts';

/** `state` is given when a run continues as new: it goes on where it was, with its jobs, questions and artifacts. */
export async function trainCritic(
  plan: RunPlan,
  limits: RunLimits = defaultLimits,
  state: RunState = newState(plan),
): Promise<RunResult> {
  const run: Run = { plan, desk: openDesk(state.desk, plan.recipe.retries, limits), state };
  const branches = stageGraph(plan.recipe).map((node) => {
    return { name: node.name, after: upstream(node), work: () => makeStage(run, node) };
  });
  return walkAt(
    run.desk,
    async () => {
      requireOwnId(plan);
      await run.desk.cut.sideBySide(branches);
      return resultOf(run);
    },
    () => continueAsNew<typeof trainCritic>(run.plan, limits, state),
  );
}

/** Jobs are named after the run, and answers and the reaper go by those names to the workflow: with another id they would reach another one. */
function requireOwnId({ run }: RunPlan): void {
  const { workflowId } = workflowInfo();
  if (run === workflowId) return;
  throw refuse('ConfigInvalid', `plan.run: expected the workflow's id, "${workflowId}", got "${run}"`);
}

/** One stage of the graph, by its kind. Nothing happens if it was done before the run continued as new. */
async function makeStage(run: Run, node: StageNode): Promise<void> {
  const { pause, board } = run.desk;
  if (pause.isOn && board.isPending(node.name)) await pause.isOver(node.name);
  switch (node.kind) {
    case 'dataset':
      return beginRun(run, node);
    case 'synthesis':
      return synthesize(run, node);
    case 'prompts':
      return runStep(run, node, 'render prompts', (options, input) =>
        storeActivities.writePrompts.executeWithOptions(options, [{ plan: run.plan, dataset: input('dataset') }]),
      );
    case 'mix':
      return runStep(run, node, 'reasoning and direct records', (options, input) =>
        storeActivities.mixRecords.executeWithOptions(options, [
          {
            plan: run.plan,
            dataset: input('dataset'),
            ...(node.inputs.synthesis === undefined ? {} : { synthesis: input('synthesis') }),
          },
        ]),
      );
    case 'tokenize':
    case 'sft':
    case 'grpo':
    case 'predict':
      return runJobStage(run, node);
    case 'evaluation':
      return runStep(run, node, 'agreement with people', (options) =>
        storeActivities.evaluatePredictions.executeWithOptions(options, [
          { plan: run.plan, artifacts: run.state.artifacts },
        ]),
      );
    case 'gate':
      return judge(run, node);
    case 'report':
      return report(run, node);
  }
}
