/**
 * The run board: what the run shows of itself. Search attributes hold the durable status and change only when it does. Current details
 * hold a page for people, and the `view` query gives everything. Deterministic; decides nothing. A run that continues as new shows
 * the same view.
 */
import { setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { RunStatus, Stage } from '../domain/names.ts';
import type { OperatorQuestion, PauseRequest, RunView, StageView } from '../domain/jobs/progress.ts';
import { viewQuery } from './messages.ts';

const stageKey = defineSearchAttributeKey('CriticStage', SearchAttributeType.KEYWORD);
const statusKey = defineSearchAttributeKey('CriticStatus', SearchAttributeType.KEYWORD);
const jobIdKey = defineSearchAttributeKey('CriticJobId', SearchAttributeType.KEYWORD);
const waitingSinceKey = defineSearchAttributeKey('CriticWaitingSince', SearchAttributeType.DATETIME);
const scoreKey = defineSearchAttributeKey('CriticScore', SearchAttributeType.DOUBLE);

const marks: Record<StageView['status'], string> = {
  pending: '·',
  running: '▶',
  done: '✓',
  reused: '↺',
  waiting: '?',
  paused: '‖',
  failed: '✗',
  cancelled: '✗',
  skipped: '–',
};

/** The view of a run of these stages that has just begun. */
export function newView(run: string, recipe: string, stages: readonly Stage[]): RunView {
  const lines = stages.map((stage): StageView => ({ stage, status: 'pending' }));
  return { run, recipe, status: 'running', stages: lines, questions: [] };
}

export class RunBoard {
  readonly #view: RunView;
  /** What the search attribute says. Undefined in a run that has just begun or continued. */
  #shownStatus: RunStatus | undefined;

  constructor(view: RunView) {
    this.#view = view;
    setHandler(viewQuery, () => this.#view, {
      description: 'Every stage of the run with its status, job and artifact',
    });
    this.#showStatus();
  }

  /** Changes one stage's line. A change of job id or of a stage's start is mirrored to the search attributes. */
  stage(stage: Stage, change: Partial<StageView>): void {
    const line = this.#line(stage);
    const before = { ...line };
    const startedAt = change.status === 'running' ? (before.startedAt ?? now()) : before.startedAt;
    const ended = change.status !== undefined && !['pending', 'running', 'waiting', 'paused'].includes(change.status);
    const finishedAt = change.status === undefined ? before.finishedAt : undefined;
    Object.assign(line, change, { startedAt, finishedAt: ended ? now() : finishedAt });
    if (change.status === 'running' && before.status === 'pending') {
      upsertSearchAttributes([{ key: stageKey, value: stage }]);
    }
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

  #showStatus(): void {
    const view = this.#view;
    if (['running', 'waiting', 'paused'].includes(view.status)) view.status = this.#openStatus();
    if (view.status === 'waiting') view.waitingSince ??= now();
    else delete view.waitingSince;
    if (view.status !== this.#shownStatus) this.#tellStatus();
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

  /** In one upsert, so that no search finds a run that waits since never. */
  #tellStatus(): void {
    const { status, waitingSince } = this.#view;
    const since = waitingSince === undefined ? null : new Date(waitingSince);
    const waits = since !== null || this.#shownStatus === 'waiting';
    upsertSearchAttributes([
      { key: statusKey, value: status },
      ...(waits ? [{ key: waitingSinceKey, value: since }] : []),
    ]);
    this.#shownStatus = status;
  }

  #draw(): void {
    const { questions, status, stages: lines, paused } = this.#view;
    const table = lines.map(
      (line) =>
        `| ${marks[line.status]} | ${line.stage} | ${line.status} | ${line.jobId ?? ''} ${line.jobState ?? ''} | ${line.note ?? ''} |`,
    );
    const asked = questions.flatMap(({ stage, sentence, remedy = '', commands }) => [
      '',
      `**Waiting for you (${stage}).** ${sentence}`,
      ...(remedy === '' ? [] : ['', remedy]),
      '',
      ...commands.map((command) => `    ${command}`),
    ]);
    setCurrentDetails(
      [
        `**${status}**`,
        ...(paused === undefined ? [] : pausedLines(paused, this.#view.run)),
        ...asked,
        '',
        '| | stage | status | job | note |',
        '| --- | --- | --- | --- | --- |',
        ...table,
      ].join('\n'),
    );
  }
}

function pausedLines({ since, by, note }: NonNullable<RunView['paused']>, run: string): string[] {
  const who = by === undefined ? '' : ` by ${by}`;
  return [
    '',
    `Paused since ${since}${who}${note === undefined ? '' : `: ${note}`}. Go on with:`,
    '',
    `    npm run critic -- unpause ${run}`,
  ];
}

/** Workflow time, which is deterministic. */
function now(): string {
  return new Date().toISOString();
}
