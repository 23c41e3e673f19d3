/**
 * The run board: what the run shows of itself. Durable status goes to search attributes (on change only, never in a
 * loop), the readable page to current details, the whole to the `view` query. Deterministic; decides nothing.
 */
import { patched, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { type RunStatus, type Stage, stages } from '../domain/names.ts';
import type { OperatorQuestion, RunView, StageView } from '../domain/progress.ts';
import { viewQuery } from './messages.ts';

const stageKey = defineSearchAttributeKey('CriticStage', SearchAttributeType.KEYWORD);
const statusKey = defineSearchAttributeKey('CriticStatus', SearchAttributeType.KEYWORD);
const jobIdKey = defineSearchAttributeKey('CriticJobId', SearchAttributeType.KEYWORD);
const scoreKey = defineSearchAttributeKey('CriticScore', SearchAttributeType.DOUBLE);

const marks: Record<StageView['status'], string> = {
  pending: '·',
  running: '▶',
  done: '✓',
  reused: '↺',
  waiting: '?',
  failed: '✗',
  skipped: '–',
};

export class RunBoard {
  readonly #view: RunView;
  /** Stages whose job cannot start until a person has mended something. */
  readonly #blocked = new Set<Stage>();

  constructor(plan: { run: string; recipe: { name: string } }) {
    this.#view = {
      run: plan.run,
      recipe: plan.recipe.name,
      status: 'running',
      stages: stages.map((stage): StageView => ({ stage, status: 'pending' })),
    };
    setHandler(viewQuery, () => this.#view, {
      description: 'Every stage of the run with its status, job and artifact',
    });
    upsertSearchAttributes([{ key: statusKey, value: 'running' }]);
  }

  /** Changes one stage's line. A change of job id or of a stage's start is mirrored to the search attributes. */
  stage(stage: Stage, change: Partial<StageView>): void {
    const line = this.#line(stage);
    const before = { ...line };
    const startedAt = change.status === 'running' ? (before.startedAt ?? now()) : before.startedAt;
    const ended = change.status !== undefined && !['pending', 'running', 'waiting'].includes(change.status);
    Object.assign(line, change, { startedAt, finishedAt: ended ? now() : undefined });
    if (change.status === 'running' && before.status !== 'running') {
      upsertSearchAttributes([{ key: stageKey, value: stage }]);
    }
    if (change.jobId !== undefined && change.jobId !== before.jobId) {
      upsertSearchAttributes([{ key: jobIdKey, value: change.jobId }]);
    }
    this.#draw();
  }

  status(status: RunStatus, question?: OperatorQuestion): void {
    this.#view.status = status === 'running' && this.#blocked.size > 0 ? 'waiting' : status;
    if (question === undefined) delete this.#view.question;
    else this.#view.question = question;
    upsertSearchAttributes([{ key: statusKey, value: this.#view.status }]);
    this.#draw();
  }

  /**
   * A stage's job cannot start by itself: the run is shown as waiting, like one that asks, but it needs no answer. It goes on
   * once what the stage's note names is mended.
   */
  blocked(stage: Stage, is: boolean): void {
    if (is === this.#blocked.has(stage) || !patched('blocked-jobs-wait')) return;
    if (is) this.#blocked.add(stage);
    else this.#blocked.delete(stage);
    this.stage(stage, { status: is ? 'waiting' : 'running' });
    if (this.#view.question === undefined) this.status('running');
  }

  score(mainScore: number): void {
    upsertSearchAttributes([{ key: scoreKey, value: mainScore }]);
  }

  #line(stage: Stage): StageView {
    const line = this.#view.stages.find((candidate) => candidate.stage === stage);
    if (line === undefined) throw new Error(`no such stage: ${stage}`);
    return line;
  }

  #draw(): void {
    const { question, status, stages: lines } = this.#view;
    const table = lines.map(
      (line) =>
        `| ${marks[line.status]} | ${line.stage} | ${line.status} | ${line.jobId ?? ''} ${line.jobState ?? ''} | ${line.note ?? ''} |`,
    );
    const asked =
      question === undefined ? [] : ['', `**Waiting for you (${question.stage}).** ${question.sentence}`, ''];
    const commands = question?.commands.map((command) => `    ${command}`) ?? [];
    setCurrentDetails(
      [
        `**${status}**`,
        ...asked,
        ...commands,
        '',
        '| | stage | status | job | note |',
        '| --- | --- | --- | --- | --- |',
        ...table,
      ].join('\n'),
    );
  }
}

/** Workflow time, which is deterministic. */
function now(): string {
  return new Date().toISOString();
}
