/**
 * The run board: what the run shows of itself. Search attributes hold the durable status and change only when it does. Current details
 * hold a page for people, and the `view` query gives everything. Deterministic; decides nothing. A run that continues as new shows
 * the same view.
 */
import { setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { RunStatus, Stage } from '../domain/names.ts';
import {
  type OperatorQuestion,
  openStatuses,
  type PauseRequest,
  type RunView,
  type StageView,
  type Trouble,
} from '../domain/jobs/progress.ts';
import { runPage } from '../domain/run-page.ts';
import { troubleSignal, viewQuery } from './messages.ts';

const stageKey = defineSearchAttributeKey('CriticStage', SearchAttributeType.KEYWORD);
const statusKey = defineSearchAttributeKey('CriticStatus', SearchAttributeType.KEYWORD);
const jobIdKey = defineSearchAttributeKey('CriticJobId', SearchAttributeType.KEYWORD);
const waitingSinceKey = defineSearchAttributeKey('CriticWaitingSince', SearchAttributeType.DATETIME);
const scoreKey = defineSearchAttributeKey('CriticScore', SearchAttributeType.DOUBLE);

/** The view of a run of these stages that has just begun. `resumes`: the run that it goes on from. */
export function newView(run: string, recipe: string, stages: readonly Stage[], resumes?: string): RunView {
  const lines = stages.map((stage): StageView => ({ stage, status: 'pending' }));
  const earlier = resumes === undefined ? {} : { resumes };
  return { run, recipe, status: 'running', ...earlier, stages: lines, questions: [] };
}

type ShownStatus = RunStatus | 'pausing';

export class RunBoard {
  readonly #view: RunView;
  /** What the search attribute says. Undefined in a run that has just begun or continued. */
  #shownStatus: ShownStatus | undefined;
  /** Likewise. */
  #shownStages: string | undefined;
  /** How many rounds of an activity each stage has under way. */
  readonly #rounds: Partial<Record<Stage, number>> = {};

  constructor(view: RunView) {
    this.#view = view;
    // Of a run that continues as new: activities begin anew, and nobody would take back what was told of the earlier ones.
    for (const line of view.stages) delete line.trouble;
    setHandler(viewQuery, () => this.#view, {
      description: 'Every stage of the run with its status, job and artifact',
    });
    setHandler(troubleSignal, (trouble) => this.#tellTrouble(trouble), {
      description: 'From a worker, not for people: an activity is tried again, and why',
    });
    this.#showStatus();
  }

  /** Changes one stage's line. A change of job id, and which stages are under way, is mirrored to the search attributes. */
  stage(stage: Stage, change: Partial<StageView>): void {
    const line = this.#line(stage);
    const before = { ...line };
    const startedAt = change.status === 'running' ? (before.startedAt ?? now()) : before.startedAt;
    const ended = change.status !== undefined && !['pending', 'running', 'waiting', 'paused'].includes(change.status);
    const finishedAt = change.status === undefined ? before.finishedAt : undefined;
    Object.assign(line, change, { startedAt, finishedAt: ended ? now() : finishedAt });
    if (change.status === 'running' && before.status === 'pending') this.#tellStages();
    // A run that an earlier release began must not tell it: the order of its commands would change.
    else if (ended && this.#view.pages !== undefined) this.#tellStages();
    if (change.jobId !== undefined && change.jobId !== before.jobId) {
      upsertSearchAttributes([{ key: jobIdKey, value: change.jobId }]);
    }
    this.#showStatus();
  }

  /** Like `stage`, and the stage is running now. A stage that waits goes on waiting. */
  start(stage: Stage, change: Partial<StageView>): void {
    this.stage(stage, { ...change, ...(this.isWaiting(stage) ? {} : { status: 'running' }) });
  }

  /**
   * A stage cannot go on until something outside has changed: the operator answers, or what `note` names is mended. The run is
   * shown as waiting while one stage is.
   */
  wait(stage: Stage, note: string): void {
    this.stage(stage, { status: 'waiting', note });
  }

  /** The stage goes on. Nothing happens if it neither waited nor was paused. */
  goOn(stage: Stage): void {
    if (['waiting', 'paused'].includes(this.#line(stage).status)) this.stage(stage, { status: 'running' });
  }

  /** Where the store's pages are served, as the worker's config says. */
  servedAt(pages: string | null): void {
    this.#view.pages = pages;
    this.#draw();
  }

  /** The run was cancelled; its jobs are ended next. */
  cancelling(): void {
    this.#view.cancelling = true;
    this.#draw();
  }

  /** A round of an activity of this stage begins. What a worker tells of the stage's activities counts until it ends. */
  beginRound(stage: Stage): void {
    this.#rounds[stage] = (this.#rounds[stage] ?? 0) + 1;
  }

  endRound(stage: Stage): void {
    this.#rounds[stage] = (this.#rounds[stage] ?? 1) - 1;
    const line = this.#view.stages.find((one) => one.stage === stage);
    if (line?.trouble === undefined) return;
    delete line.trouble;
    this.#draw();
  }

  get paused(): RunView['paused'] {
    return this.#view.paused;
  }

  pause(request: PauseRequest): void {
    this.#view.paused = { since: now(), ...request };
    this.#showStatus();
  }

  unpause(): void {
    delete this.#view.paused;
    this.#showStatus();
  }

  /** The stage has nothing under way while the run is paused. One that has not begun is not shown otherwise. */
  rest(stage: Stage): void {
    if (!this.isPending(stage)) this.stage(stage, { status: 'paused' });
  }

  isPending(stage: Stage): boolean {
    return this.#line(stage).status === 'pending';
  }

  isWaiting(stage: Stage): boolean {
    return this.#line(stage).status === 'waiting';
  }

  questions(questions: OperatorQuestion[]): void {
    this.#view.questions = questions;
    this.#draw();
  }

  /** The run's end. A stage that has not ended by then has failed, or was cancelled with the run or because another stage failed. */
  end(status: Exclude<RunStatus, 'running' | 'waiting' | 'paused'>): void {
    const { stages } = this.#view;
    this.#view.status = status;
    const hasFailed = status === 'aborted' && !stages.some((line) => line.status === 'failed');
    for (const line of stages.filter((one) => ['running', 'waiting', 'paused'].includes(one.status))) {
      Object.assign(line, { status: hasFailed ? 'failed' : 'cancelled', finishedAt: now() });
      delete line.jobState; // what was last heard of a job that is gone
    }
    this.#showStatus();
  }

  score(mainScore: number): void {
    upsertSearchAttributes([{ key: scoreKey, value: mainScore }]);
  }

  #line(stage: Stage): StageView {
    const line = this.#view.stages.find((candidate) => candidate.stage === stage);
    if (line === undefined) throw new Error(`no such stage: ${stage}`);
    return line;
  }

  /** Activities are named after their stage; those of the run's beginning (`run-prepare`) belong to its first one. */
  #tellTrouble({ activityId, why }: Trouble): void {
    const { stages } = this.#view;
    const line = stages.find(({ stage }) => activityId.startsWith(`${stage}-a`)) ?? stages[0];
    // It has succeeded meanwhile.
    if (line === undefined || (this.#rounds[line.stage] ?? 0) === 0) return;
    if (why === undefined) delete line.trouble;
    else line.trouble = { why, at: now() };
    this.#draw();
  }

  /** The stages that are under way, in the graph's order. When the last one ends it stays: the next one begins at once, or the run is over. */
  #tellStages(): void {
    const open = this.#view.stages.filter(({ status }) => openStatuses.some((one) => one === status));
    const value = open.map(({ stage }) => stage).join('+');
    if (value === '' || (value === this.#shownStages && this.#view.pages !== undefined)) return;
    upsertSearchAttributes([{ key: stageKey, value }]);
    this.#shownStages = value;
  }

  #showStatus(): void {
    const view = this.#view;
    if (openStatuses.some((one) => one === view.status)) view.status = this.#openStatus();
    if (view.status === 'waiting') view.waitingSince ??= now();
    else delete view.waitingSince;
    if (this.#toShow() !== this.#shownStatus) this.#tellStatus();
    this.#draw();
  }

  /** Status of a run that goes on. It is paused when nothing works any more: a stage that asks does not work. */
  #openStatus(): RunStatus {
    const { stages, questions, paused } = this.#view;
    const asks = (stage: Stage) => questions.some((question) => question.stage === stage);
    const works = stages.some(({ stage, status }) => status === 'running' || (status === 'waiting' && !asks(stage)));
    if (paused !== undefined && !works) return 'paused';
    return stages.some(({ status }) => status === 'waiting') ? 'waiting' : 'running';
  }

  /** That it pauses, for the list of runs. One that an earlier release began does not tell it: the order of its commands would change. */
  #toShow(): ShownStatus {
    const { status, paused, pages } = this.#view;
    return status === 'running' && paused !== undefined && pages !== undefined ? 'pausing' : status;
  }

  /** In one upsert, so that no search finds a run that waits since never. */
  #tellStatus(): void {
    const { waitingSince } = this.#view;
    const status = this.#toShow();
    const since = waitingSince === undefined ? null : new Date(waitingSince);
    const waits = since !== null || this.#shownStatus === 'waiting';
    upsertSearchAttributes([
      { key: statusKey, value: status },
      ...(waits ? [{ key: waitingSinceKey, value: since }] : []),
    ]);
    this.#shownStatus = status;
  }

  #draw(): void {
    setCurrentDetails(runPage(this.#view));
  }
}

/** Workflow time, which is deterministic. */
function now(): string {
  return new Date().toISOString();
}
