/**
 * When will a run end at the earliest? From its estimate, its view and the live numbers of what it does. Pure.
 *
 * What nobody knows counts as nothing, and stages that may run side by side count once. So the true end may be later, and never much earlier than the
 * numbers that it is made of allow.
 */
import type { RunEstimate } from '../estimate/estimate.ts';
import type { RunView, StageProgress } from '../jobs/progress.ts';
import type { Stage } from '../names.ts';
import type { Recipe } from '../recipe.ts';
import { inOrder, stageGraph, upstream } from '../stage-graph.ts';

/** The run as it is seen at a moment: `progress` by activity id. */
export interface SeenRun {
  estimate: RunEstimate | undefined;
  view: RunView;
  progress: Readonly<Record<string, StageProgress>>;
}

/** Seconds from `now` until the run's end, at least. */
export function secondsLeft(recipe: Recipe, seen: SeenRun, now: Date): number {
  const ends = new Map<Stage, number>();
  for (const node of inOrder(stageGraph(recipe))) {
    const begins = Math.max(0, ...upstream(node).map((name) => ends.get(name) ?? 0));
    ends.set(node.name, begins + leftOf(node.name, seen, now));
  }
  return Math.max(0, ...ends.values());
}

function leftOf(stage: Stage, { estimate, view, progress }: SeenRun, now: Date): number {
  const line = view.stages.find((one) => one.stage === stage);
  if (line === undefined || ['done', 'reused', 'skipped', 'cancelled', 'failed'].includes(line.status)) return 0;
  const eta = progress[line.activityId ?? '']?.etaSeconds;
  if (eta !== undefined) return eta;
  const expected = estimate?.stages.find((one) => one.stage === stage);
  const seconds = expected?.action === 'reuse' ? 0 : (expected?.job?.seconds ?? 0);
  const gone = line.startedAt === undefined ? 0 : (now.getTime() - new Date(line.startedAt).getTime()) / 1000;
  return Math.max(0, seconds - gone);
}
