/** How a night ends: its turn says so, and a schedule that is to stop after a failure is paused. Both are safe to repeat. */
import { Context } from '@temporalio/activity';
import { nightScheduleId } from '../../domain/names.ts';
import type { NightVerdict } from '../../domain/nights/night.ts';
import type { StoreDeps } from '../store/deps.ts';
import { Turns } from './turns.ts';

export interface EndRequest {
  night: string;
  turn: number;
  /** With `wrong-recipe`: the run that was stopped for this night, from which the next one goes on. */
  run: string | null;
  verdict: NightVerdict;
  nothingNew: boolean;
}

export function createNightEndingActivities({ store }: StoreDeps) {
  return {
    async endNight({ night, turn, run, verdict, nothingNew }: EndRequest): Promise<void> {
      await new Turns(store.root, night).writeEnd(turn, {
        run,
        verdict,
        nothingNew,
        endedAt: new Date().toISOString(),
      });
    },

    /** Pauses the night's schedule. `gone`: somebody has deleted it. */
    async pauseNight({ night, note }: { night: string; note: string }): Promise<'paused' | 'gone'> {
      try {
        await Context.current().client.schedule.getHandle(nightScheduleId(night)).pause(note);
        return 'paused';
      } catch (error) {
        if (error instanceof Error && error.name === 'ScheduleNotFoundError') return 'gone';
        throw error;
      }
    },
  };
}
