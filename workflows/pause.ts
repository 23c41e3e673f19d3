/**
 * Pause: an operator takes a run off the GPUs for a while. Its jobs save a checkpoint and end, and no stage begins until it is unpaused; then each job
 * goes on from its checkpoint. Synthesis stops to ask the teacher, keeps the answers that it has, and asks the rest later. Other work that is no job (a check,
 * an evaluation) is not broken off: it ends by itself and holds no GPU.
 *
 * That it is paused is part of the view, so it outlives a worker and a cut. Questions can be answered meanwhile, and the run can be cancelled.
 */
import { condition, patched, setHandler } from '@temporalio/workflow';
import { pauseFault } from '../domain/pausing.ts';
import type { PauseRequest } from '../domain/jobs/progress.ts';
import type { Stage } from '../domain/names.ts';
import type { Cut } from './cut.ts';
import { invalid } from './failure.ts';
import { pauseUpdate, unpauseUpdate } from './messages.ts';
import type { RunBoard } from './run-board.ts';

export class Pause {
  readonly #board: RunBoard;
  readonly #cut: Cut;

  constructor(board: RunBoard, cut: Cut) {
    this.#board = board;
    this.#cut = cut;
    setHandler(pauseUpdate, (request) => this.#pause(request ?? {}), {
      description:
        'Have all jobs save a checkpoint and end, and begin nothing until "unpause". Nothing, or {"by": "ada", "note": "why"}',
      validator: requireRequest,
    });
    setHandler(unpauseUpdate, () => this.#unpause(), {
      description: 'Go on after "pause". Nothing, or {"by": "ada"}',
      validator: requireRequest,
    });
  }

  get isOn(): boolean {
    return this.#board.paused !== undefined;
  }

  /** Waits until the run goes on. Call it only while it is paused: even what is over at once would change the order of commands. */
  async isOver(stage: Stage): Promise<void> {
    this.#board.rest(stage);
    await this.#cut.interruptible(() => condition(() => !this.isOn));
    this.#board.goOn(stage);
  }

  #pause(request: PauseRequest): string {
    const before = this.#board.paused;
    if (before !== undefined)
      return `paused already since ${before.since}${before.by === undefined ? '' : ` by ${before.by}`}`;
    this.#board.pause(request);
    this.#cut.breakOff();
    // A run of an earlier release has let synthesis end by itself.
    if (this.#cut.isBreakable('synthesis') && patched('pause-breaks-off-synthesis')) this.#cut.breakOff('synthesis');
    return 'pausing: jobs save a checkpoint and end, and nothing begins until it is unpaused';
  }

  #unpause(): string {
    if (!this.isOn) return 'it was not paused';
    this.#board.unpause();
    return 'it goes on';
  }
}

function requireRequest(request?: PauseRequest): void {
  const fault = pauseFault(request);
  if (fault !== undefined) throw invalid(fault);
}
