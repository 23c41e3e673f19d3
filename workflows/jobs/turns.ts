/**
 * Turns: before each attempt a job waits until the limits of the worker's config let it (`domain/keeping/turns.ts`), and it gives its turns back when the
 * attempt is over. So a run that waits for a person, or is paused, keeps no other run waiting; its next attempt queues behind those who wait.
 */
import { activityId } from '../../domain/names.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { turnsInWords } from '../../domain/keeping/turns.ts';
import { paces, storeActivities, watchActivities } from '../activity-options.ts';
import { BrokenOff } from '../cut.ts';
import type { JobDesk } from './job-desk.ts';
import { persist } from '../persisting.ts';

/** Waits. A run that is paused meanwhile steps back from the queue. Call it only for an order that has turns. */
export async function takeTurn(order: JobOrder, attempt: number, desk: JobDesk): Promise<void> {
  const { run, stage, turns = [] } = order;
  const id = activityId(stage, attempt, 'turn');
  for (;;) {
    desk.board.start(stage, { activityId: id, note: `waits for its turn: ${turnsInWords(turns)}` });
    try {
      await persist(desk, stage, paces.watch, (retry) =>
        desk.cut.interruptible(
          () =>
            watchActivities.takeTurn.executeWithOptions(
              { activityId: id, summary: `turn of ${turnsInWords(turns)}`, ...retry },
              [{ turns, run, stage }],
            ),
          stage,
        ),
      );
      if (!desk.pause.isOn) return desk.board.stage(stage, { note: '' });
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error;
    }
    if (desk.pause.isOn) {
      await leaveTurn(order, attempt, desk);
      if (desk.pause.isOn) await desk.pause.isOver(stage);
    }
  }
}

export async function leaveTurn({ run, stage, turns = [] }: JobOrder, attempt: number, desk: JobDesk): Promise<void> {
  await persist(desk, stage, paces.store, (retry) =>
    storeActivities.leaveTurn.executeWithOptions(
      { activityId: activityId(stage, attempt, 'leave'), summary: `leave ${turnsInWords(turns)}`, ...retry },
      [{ turns, run, stage }],
    ),
  );
}
