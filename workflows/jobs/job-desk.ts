/**
 * The desk: what all parts of a run share while it runs. It has the board, the open questions, the place for a cut, and what is kept
 * of the jobs. When a run continues as new, it is opened again with what it held.
 */
import { CancellationScope, ContinueAsNew, isCancellation } from '@temporalio/workflow';
import type { EndedJob } from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { JobState } from '../../domain/jobs/job-state.ts';
import type { JobStage, Stage } from '../../domain/names.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import type { OperatorAnswer } from '../../domain/operator-answer.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { Cut } from '../cut.ts';
import { OperatorQuestions, type Questions } from '../operator.ts';
import type { Desk, RunLimits } from '../persisting.ts';
import { Pause } from '../pause.ts';
import { askSlurm } from './asking-slurm.ts';
import { takeRetries } from './retrying.ts';
import { newView, RunBoard } from '../run-board.ts';

/** What a desk holds: plain data, which is changed in place and taken along when the run continues as new. */
export interface DeskState {
  view: RunView;
  questions: Questions;
  /** How jobs ended, for the report. */
  ledger: EndedJob[];
  /** How far each job under way has come. */
  jobs: Partial<Record<JobStage, JobState>>;
}

export interface JobDesk extends Desk, Pick<DeskState, 'ledger' | 'jobs'> {
  /** What the recipe says about failures. */
  retries: Recipe['retries'];
  pause: Pause;
  /** Orders of the jobs under way, for what an operator wants of them. Known anew after a cut. */
  orders: Partial<Record<JobStage, JobOrder>>;
  /** Stages under way that are no jobs and can be begun again as an operator wants. */
  steps: Partial<Record<Stage, (wanted: OperatorAnswer) => void>>;
}

/** `stages`: those that the run shows, in this order. `resumes`: the run that it goes on from. */
export function newDesk(run: string, recipe: string, stages: readonly Stage[], resumes?: string): DeskState {
  return { view: newView(run, recipe, stages, resumes), questions: { pending: [], asked: {} }, ledger: [], jobs: {} };
}

export function openDesk(state: DeskState, retries: Recipe['retries'], limits: RunLimits): JobDesk {
  const { view, questions, ledger, jobs } = state;
  const board = new RunBoard(view);
  const cut = new Cut(limits.historyEvents);
  const orders: JobDesk['orders'] = {};
  // An answer that came while the run continued as new is taken in the midst of this call.
  const operator = new OperatorQuestions(view.run, board, cut, questions, (answer) =>
    askSlurm({ jobs, orders }, answer, true),
  );
  const pause = new Pause(board, cut);
  const desk: JobDesk = { board, operator, cut, limits, retries, ledger, jobs, pause, orders, steps: {} };
  takeRetries(desk);
  return desk;
}

/** Runs the whole `walk` at a desk. At a cut of its history `goOn` continues as new. The board shows an end without a result. */
export async function walkAt<T>({ board, cut }: Desk, walk: () => Promise<T>, goOn: () => Promise<never>): Promise<T> {
  void CancellationScope.current().cancelRequested.catch(() => board.cancelling());
  try {
    return await cut.around(walk, goOn);
  } catch (error) {
    if (!(error instanceof ContinueAsNew)) board.end(isCancellation(error) ? 'cancelled' : 'aborted');
    throw error;
  }
}
