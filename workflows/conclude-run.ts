/** How a run ends: the verdict, the report, and what it gives back. */
import { activityId, type Stage } from '../domain/names.ts';
import type { StepOf } from '../domain/stage-graph.ts';
import { paces, storeActivities } from './activity-options.ts';
import { persist } from './persisting.ts';
import { artifactOf, type Run } from './run-stages.ts';

/** Result of a run, which the CLI prints. */
export interface RunResult {
  passed: boolean;
  reasons: string[];
  mainScore: number | null;
  /** Path of `report.html` as the worker sees it. */
  report: string;
  /** The table of metrics for a terminal, so that it is seen on machines without the store. */
  summary: string;
  reused: Stage[];
}

/** The verdict. A candidate that passes becomes champion. */
export async function judge(run: Run, { name, inputs }: StepOf<'gate'>): Promise<void> {
  const { desk, state } = run;
  desk.board.start(name, {});
  const request = {
    plan: run.plan,
    evaluation: artifactOf(run, inputs.evaluation),
    candidate: artifactOf(run, inputs.candidate),
    predictions: artifactOf(run, inputs.predictions),
  };
  const gate = (state.gate ??= await persist(desk, name, paces.store, (retry) =>
    storeActivities.judgeGate.executeWithOptions(
      {
        activityId: activityId(name, 1, 'judge'),
        summary: `against champion ${run.plan.recipe.gate.champion}`,
        ...retry,
      },
      [request],
    ),
  ));
  desk.board.stage(name, { status: 'done', note: gate.reasons.join('; ') });
  if (gate.mainScore !== null) desk.board.score(gate.mainScore);
}

/** `report.html`, from whatever the run has. */
export async function report({ plan, desk, state }: Run, { name }: StepOf<'report'>): Promise<void> {
  const { artifacts, gate, startedAt } = state;
  desk.board.start(name, {});
  const made = (state.report ??= await persist(desk, name, paces.store, (retry) =>
    storeActivities.writeReport.executeWithOptions(
      { activityId: activityId(name, 1, 'write'), summary: 'report.html', ...retry },
      [{ plan, artifacts, gate, jobs: desk.ledger, startedAt }],
    ),
  ));
  desk.board.stage(name, { status: 'done', note: made.path });
}

/** Shows the run as ended. */
export function resultOf({ desk, state }: Run): RunResult {
  const { artifacts, gate, report: written } = state;
  if (gate === undefined || written === undefined) throw new Error('the run ended without a verdict or a report');
  desk.board.end(gate.passed ? 'passed' : 'not-passed');
  return {
    passed: gate.passed,
    reasons: gate.reasons,
    mainScore: gate.mainScore,
    report: written.path,
    summary: written.summary,
    reused: Object.values(artifacts).flatMap((artifact) => (artifact?.reused === true ? [artifact.stage] : [])),
  };
}
