/** One night at a time: who holds the turn, and until when. */
import { Context } from '@temporalio/activity';
import type { EarlierNight } from '../../domain/night.ts';
import { passing } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import type { StoreDeps } from '../store/deps.ts';
import { lookAt } from './open-workflow.ts';
import { type Turn, Turns } from './turns.ts';

/** How often others may be first within one try. */
const rounds = 5;
const pauseMs = 5_000;

export interface TurnRequest {
  night: string;
  /** Id of the workflow that asks. */
  workflow: string;
  at: string;
}
export type TurnAnswer = { turn: number } | { turn: null; before: EarlierNight };

export function createTurnActivities({ store }: StoreDeps) {
  return {
    /** The turn, if no other night holds it. One holds it until its workflow and its run are over. Safe to repeat: a night has one turn. */
    async takeNightTurn({ night, workflow, at }: TurnRequest): Promise<TurnAnswer> {
      const turns = new Turns(store.root, night);
      for (let round = 0; round < rounds; round += 1) {
        const newest = await turns.newest();
        if (newest?.workflow === workflow) return { turn: newest.number };
        const before = newest === undefined ? undefined : await holder(turns, newest);
        if (before !== undefined) return { turn: null, before };
        const number = (newest?.number ?? 0) + 1;
        if ((await turns.take({ number, workflow, at })) === 'ours') return { turn: number };
      }
      throw passing('Superseded', `night "${night}": others took ${rounds} turns while one was asked for`);
    },

    /** Returns when the night that holds the turn is over. It only looks. */
    async awaitNightTurn({ night, workflow }: Pick<TurnRequest, 'night' | 'workflow'>): Promise<void> {
      await heartbeating('waiting for the night before', async () => {
        const turns = new Turns(store.root, night);
        for (;;) {
          const newest = await turns.newest();
          if (newest === undefined || newest.workflow === workflow) return;
          if ((await holder(turns, newest)) === undefined) return;
          await Context.current().sleep(pauseMs);
        }
      });
    },
  };
}

/** The night that has the turn, if it is not over. */
async function holder(turns: Turns, { number, workflow, at }: Turn): Promise<EarlierNight | undefined> {
  const run = (await turns.run(number))?.run ?? null;
  const itself = await lookAt(workflow);
  const ofRun = run === null ? undefined : await lookAt(run);
  if (!itself.isOpen && ofRun?.isOpen !== true) return undefined;
  return { at, workflow, run, status: ofRun?.says === 'waiting' ? 'waiting' : 'running' };
}
