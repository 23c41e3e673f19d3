/**
 * The operator's desk: a run that cannot go on by itself waits here. It says why in one sentence, with the log's tail and
 * the commands that mend it, and goes on when told. One question at a time; parallel stages queue.
 */
import { condition, setHandler } from '@temporalio/workflow';
import type { Stage } from '../domain/names.ts';
import { answerUpdate, type OperatorAnswer } from './messages.ts';
import type { RunBoard } from './run-board.ts';

export interface Question {
  stage: Stage;
  sentence: string;
  logTail: string;
  canSkip: boolean;
}

export class OperatorDesk {
  readonly #board: RunBoard;
  readonly #run: string;
  #open: Question | undefined;
  #answer: OperatorAnswer | undefined;

  constructor(board: RunBoard, run: string) {
    this.#board = board;
    this.#run = run;
    setHandler(answerUpdate, (answer) => this.#take(answer), {
      description: 'Answer a waiting run: {"stage", "action": "retry" | "skip" | "abort", "excludeNodes"?, …}',
      validator: (answer) => this.#validate(answer),
    });
  }

  /** Waits, for days if need be, until the operator answers. */
  async ask(question: Question): Promise<OperatorAnswer> {
    await condition(() => this.#open === undefined);
    this.#open = question;
    const { stage, sentence, logTail } = question;
    this.#board.stage(stage, { status: 'waiting', note: sentence });
    this.#board.status('waiting', { stage, sentence, logTail, commands: this.#commands(question) });
    try {
      await condition(() => this.#answer !== undefined);
      const answer = this.#answer;
      if (answer === undefined) throw new Error('an answer was awaited and is not there');
      return answer;
    } finally {
      this.#open = undefined;
      this.#answer = undefined;
      this.#board.status('running');
    }
  }

  #commands({ stage, canSkip }: Question): string[] {
    const command = (action: string) => `npm run critic -- answer ${this.#run} ${stage} ${action}`;
    return [command('retry'), ...(canSkip ? [command('skip')] : []), command('abort')];
  }

  #take(answer: OperatorAnswer): string {
    this.#answer = answer;
    return `${answer.stage}: ${answer.action}`;
  }

  #validate(answer: OperatorAnswer): void {
    if (this.#open === undefined) throw new Error('the run is not waiting for an answer');
    const { stage, canSkip } = this.#open;
    if (this.#answer !== undefined) throw new Error('the run was answered a moment ago');
    if (answer.stage !== stage) throw new Error(`the run asks about stage "${stage}", not "${answer.stage}"`);
    if (!['retry', 'skip', 'abort'].includes(answer.action)) {
      throw new Error(`answer.action: expected retry, skip or abort, got "${answer.action}"`);
    }
    const { budgetUsd } = answer;
    if (budgetUsd !== undefined && (stage !== 'synthesis' || !Number.isFinite(budgetUsd) || budgetUsd <= 0)) {
      throw new Error(
        `answer.budgetUsd: expected an amount above 0, for stage synthesis, got ${budgetUsd} for "${stage}"`,
      );
    }
    if (answer.action === 'skip' && !canSkip) {
      throw new Error(`stage "${stage}" cannot be skipped: what follows needs its artifact`);
    }
  }
}
