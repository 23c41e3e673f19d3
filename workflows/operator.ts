/**
 * Questions to the operator: a stage that cannot go on by itself waits here. A question says why in one sentence, with the log's tail
 * and the commands that mend it. Several may be open at once, at most one for each stage. Each is answered by itself, in any order.
 *
 * Questions are part of the run's state. A run that continues as new asks them again under the same ids.
 */
import { condition, setHandler } from '@temporalio/workflow';
import type { Stage } from '../domain/names.ts';
import { type Answerable, matchAnswer, type OperatorAnswer } from '../domain/operator-answer.ts';
import type { Cut } from './cut.ts';
import { answerUpdate } from './messages.ts';
import type { RunBoard } from './run-board.ts';
import { invalid, refuse } from './failure.ts';

export interface Question {
  stage: Stage;
  sentence: string;
  remedy?: string;
  logTail: string;
  canSkip: boolean;
  /** The plan is wrong, and it never changes: to abort is what most likely helps. */
  abortFirst?: true;
  noMemoryFactor?: string;
  mostHalvings?: number;
}

/** A question that was asked. When it is answered, it keeps the answer until its stage has taken it. */
export interface AskedQuestion extends Question, Answerable {
  answer?: OperatorAnswer;
}

/** The questions for which stages wait, and how many each stage has asked: with that no id is used twice. */
export interface Questions {
  pending: AskedQuestion[];
  asked: Partial<Record<Stage, number>>;
}

export class OperatorQuestions {
  readonly #board: RunBoard;
  readonly #run: string;
  readonly #cut: Cut;
  readonly #questions: Questions;

  /** `check`: what must succeed before an answer is taken. Undefined: it is taken at once. */
  constructor(
    run: string,
    board: RunBoard,
    cut: Cut,
    questions: Questions,
    check: (answer: OperatorAnswer) => Promise<void> | undefined,
  ) {
    this.#run = run;
    this.#board = board;
    this.#cut = cut;
    this.#questions = questions;
    setHandler(answerUpdate, (answer) => check(answer)?.then(() => this.take(answer)) ?? this.take(answer), {
      description:
        'Answer a waiting run: {"stage": "grpo", "action": "retry"}. Also "skip" and "abort"; "question", "excludeNodes", …',
      validator: (answer) => {
        const fault = this.faultOf(answer);
        if (fault !== undefined) throw invalid(fault);
      },
    });
    this.#show();
  }

  /** Waits until the operator answers, for days if need be. An abort is thrown and ends the run. */
  async ask(question: Question): Promise<OperatorAnswer> {
    const asked = this.#asking(question.stage) ?? this.#askAnew(question);
    try {
      await this.#cut.interruptible(() => condition(() => asked.answer !== undefined));
    } finally {
      this.#questions.pending.splice(this.#questions.pending.indexOf(asked), 1);
      this.#show();
      this.#board.goOn(question.stage);
    }
    const { answer } = asked;
    if (answer === undefined) throw new Error('an answer was awaited and is not there');
    if (answer.action === 'abort') {
      this.#board.stage(question.stage, { status: 'failed' });
      throw refuse('Aborted', `stage ${question.stage} aborted by the operator: ${asked.sentence}`);
    }
    return answer;
  }

  /** Has this stage a question from before the run continued as new, whose answer it has not taken? `ask` goes on with it. */
  isAsking(stage: Stage): boolean {
    return this.#asking(stage) !== undefined;
  }

  /** Has this stage a question that nobody has answered? */
  asks(stage: Stage): boolean {
    return this.#open().some((question) => question.stage === stage);
  }

  /** Why an answer answers nothing, in one sentence. Undefined if it may be taken. */
  faultOf(answer: OperatorAnswer): string | undefined {
    const match = matchAnswer(answer, this.#open());
    return 'fault' in match ? match.fault : undefined;
  }

  #asking(stage: Stage): AskedQuestion | undefined {
    return this.#questions.pending.find((question) => question.stage === stage);
  }

  #askAnew(question: Question): AskedQuestion {
    const { stage, sentence } = question;
    const { pending, asked } = this.#questions;
    const count = (asked[stage] ?? 0) + 1;
    asked[stage] = count;
    const one = { ...question, id: `${stage}-${count}` };
    pending.push(one);
    this.#show();
    this.#board.wait(stage, sentence);
    return one;
  }

  #open(): AskedQuestion[] {
    return this.#questions.pending.filter(({ answer }) => answer === undefined);
  }

  #show(): void {
    const questions = this.#open().map((question) => {
      const { id, stage, sentence, remedy, logTail } = question;
      const cure = remedy === undefined ? {} : { remedy };
      return { id, stage, sentence, ...cure, logTail, commands: this.#commands(question) };
    });
    this.#board.questions(questions);
  }

  #commands({ id, stage, canSkip, abortFirst }: AskedQuestion): string[] {
    const command = (action: string) => `npm run critic -- answer ${this.#run} ${stage} ${action} --question ${id}`;
    if (abortFirst === true) return [command('abort'), command('retry')];
    return [command('retry'), ...(canSkip ? [command('skip')] : []), command('abort')];
  }

  /** The validator has accepted the answer. If it was checked since, somebody else may have answered. */
  take(answer: OperatorAnswer): string {
    const match = matchAnswer(answer, this.#open());
    if ('fault' in match) throw refuse('Refused', match.fault);
    match.question.answer = answer;
    this.#show();
    return `${match.question.id}: ${answer.action}`;
  }
}
