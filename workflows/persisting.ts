/**
 * Persisting: an activity is tried until it succeeds, and the run shows why it has not yet. Tries come in rounds of some minutes.
 * After a round without success the stage is shown as waiting, with the failure's sentence, and the next round begins. So a stage
 * goes on by itself when its cause is mended outside. If no retry can mend a failure, the operator is asked, and retries or aborts.
 */
import { ActivityFailure, CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import { type FailureType, remedyFor } from '../domain/failures.ts';
import type { Stage } from '../domain/names.ts';
import type { OperatorAnswer } from '../domain/operator-answer.ts';
import { type RoundRetry, type RetryPace, roundOf } from './activity-options.ts';
import type { Cut } from './cut.ts';
import { isFailure } from './failure.ts';
import type { OperatorQuestions, Question } from './operator.ts';
import type { RunBoard } from './run-board.ts';

/** How patient a run is. Tests are less patient. */
export interface RunLimits {
  /** A history of so many events continues as new. Temporal suggests it at some 4,000 and ends a run at 51,200. */
  historyEvents: number;
  /**
   * The pauses between the tries of one round, all together, in seconds. A try may take half a minute to fail, e.g. by a server's
   * timeout; then a round is about ten minutes.
   */
  roundSeconds: number;
}

export const defaultLimits: RunLimits = { historyEvents: 2_000, roundSeconds: 300 };

/** What every part of a run is given. */
export interface Desk {
  board: RunBoard;
  operator: OperatorQuestions;
  cut: Cut;
  limits: RunLimits;
}

type Work<T> = (retry: RoundRetry) => Promise<T>;

/**
 * Runs `work` until it succeeds. `work` must be safe to run again, and must pass `retry` to its activity. `onAnswer` gets the
 * operator's answer. With `endsRun` a failure that no retry can mend is thrown, and the operator is not asked. Throws on abort and
 * on cancellation.
 */
export async function persist<T>(
  desk: Desk,
  stage: Stage,
  pace: RetryPace,
  work: Work<T>,
  { onAnswer, endsRun = false }: { onAnswer?: (answer: OperatorAnswer) => void; endsRun?: boolean } = {},
): Promise<T> {
  let failed = false;
  for (;;) {
    const tried: Tried<T> | undefined = desk.operator.isAsking(stage)
      ? undefined
      : await round(desk, stage, pace, work, failed);
    failed = tried !== undefined;
    if (tried !== undefined && 'result' in tried) return tried.result;
    if (endsRun && tried?.refused === true) throw tried.error;
    if (tried === undefined || tried.refused) {
      const sentence = tried?.sentence ?? '';
      if (tried !== undefined) log.warn('stage failed, asking the operator', { stage, sentence });
      const answer = await desk.operator.ask({ stage, sentence, ...cureFor(tried?.type), logTail: '', canSkip: false });
      onAnswer?.(answer);
    } else if (desk.cut.isDue) {
      // The other branches come to such a place within their own round.
      await desk.cut.interruptible(() => sleep(desk.limits.roundSeconds * 1000));
    }
  }
}

/** What a question says of a failure of this type, beside its sentence. */
function cureFor(type: string | undefined): Pick<Question, 'remedy' | 'abortFirst'> {
  const remedy = remedyFor(type);
  return {
    ...(remedy === undefined ? {} : { remedy }),
    ...(type === ('RecipeInvalid' satisfies FailureType) ? { abortFirst: true } : {}),
  };
}

/** The same for work that a cancellation must not stop. A failure that no retry mends is logged, and the work is left. */
export async function persistCancelled(
  desk: Desk,
  stage: Stage,
  pace: RetryPace,
  work: Work<{ notClosed?: string }>,
): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    for (let failed = false; ; failed = true) {
      const tried = await round(desk, stage, pace, work, failed);
      if ('result' in tried) return tellNotClosed(desk, stage, tried.result);
      if (tried.refused) {
        log.error('a job may run on: the reaper cancels it once the run is over', { stage, sentence: tried.sentence });
        desk.board.stage(stage, { note: tried.sentence });
        return;
      }
    }
  });
}

/** Tells that the store did not take the claim: a job of the attempt that Slurm starts later would run. */
export function tellNotClosed({ board }: Desk, stage: Stage, { notClosed }: { notClosed?: string }): void {
  if (notClosed === undefined) return;
  log.warn('a cancelled attempt is not closed', { stage, notClosed });
  board.stage(stage, { note: `cancelled, but Slurm may start it again: ${notClosed}` });
}

type Tried<T> =
  | { result: T }
  | { sentence: string; type: string | undefined; refused: boolean; error: ActivityFailure };

/** One round. If it follows a failed one and takes as long as two rounds, it no longer fails, and its stage is shown as running. */
async function round<T>(desk: Desk, stage: Stage, pace: RetryPace, work: Work<T>, failed: boolean): Promise<Tried<T>> {
  const { board, limits } = desk;
  const clock = new CancellationScope();
  if (failed) void clock.run(() => goOnAfter(desk, stage, 2 * limits.roundSeconds)).catch(ignoreCancel);
  board.beginRound(stage);
  try {
    const result = await work(roundOf(pace, limits.roundSeconds));
    board.goOn(stage);
    return { result };
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    const sentence = error.cause?.message ?? error.message;
    const refused = error.retryState === 'NON_RETRYABLE_FAILURE';
    if (!refused) board.wait(stage, sentence);
    const type = isFailure(error.cause) ? (error.cause.type ?? undefined) : undefined;
    return { sentence, type, refused, error };
  } finally {
    clock.cancel();
    board.endRound(stage);
  }
}

async function goOnAfter({ board }: Desk, stage: Stage, seconds: number): Promise<void> {
  await sleep(seconds * 1000);
  board.goOn(stage);
}

function ignoreCancel(error: unknown): void {
  if (!isCancellation(error)) throw error;
}
