/**
 * Synthesis in a run: critiques from the teacher. While it asks, an operator may pause the run, or change the cap: then it stops, keeps the answers that it
 * has, and asks for the rest later, under the new cap. Requests that are under way then are asked again.
 *
 * As long as nobody does so, it takes as many turns of the event loop as any step: earlier releases did no more, and the order of commands hangs on it.
 */
import type { ArtifactRef } from '../domain/manifest.ts';
import { teacherNeeded } from '../domain/recipe/arms.ts';
import type { StepOf } from '../domain/stage-graph.ts';
import { llmActivities, paces } from './activity-options.ts';
import { type Run, runStep, type StepOptions, withBudget } from './run-stages.ts';

export function synthesize(run: Run, node: StepOf<'synthesis'>): Promise<void> {
  const { cut, pause, steps } = run.desk;
  const { name } = node;
  steps[name] = ({ budgetUsd }) => {
    if (budgetUsd !== undefined) run.plan = withBudget(run.plan, budgetUsd);
    cut.breakOff(name);
  };
  const ask = (options: StepOptions, dataset: ArtifactRef) =>
    cut.breakable(
      () => llmActivities.synthesizeCritiques.executeWithOptions(options, [{ plan: run.plan, dataset }]),
      name,
    );
  const made = runStep(
    run,
    node,
    `critiques by ${teacherNeeded(run.plan.recipe).model}`,
    // It may have been paused while it asked the operator.
    (options, input) =>
      pause.isOn ? pause.isOver(name).then(() => ask(options, input('dataset'))) : ask(options, input('dataset')),
    paces.llm,
    async (error) => {
      if (!cut.hasBroken(name)) throw error;
      if (pause.isOn) await pause.isOver(name);
    },
  );
  const over = () => void delete steps[name];
  made.then(over, over);
  return made;
}
