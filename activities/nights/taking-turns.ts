/** One night at a time: who holds the turn, and until when. */
import { Context } from '@temporalio/activity';
import type { EarlierNight } from '../../domain/nights/night.ts';
import { passing } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import type { StoreDeps } from '../store/deps.ts';
import { lookAt } from './open-workflow.ts';
import { type Turn, Turns } from './turns.ts';

/** How often others may be first within one try. */
const rounds = 5;
const pauseMs = 5_000;

/** Nights that begin in the same moment, as after an outage, all have their ticket by then. */
const gatherMs = 3_000;

export interface TurnRequest {
  night: string;
  /** Id of the workflow that asks. */
  workflow: string;
  at: string;
  /** It waits if it does not get the turn: then those of earlier nights that wait come first. */
  queues?: boolean;
}
export type TurnAnswer = { turn: number } | { turn: null; before: EarlierNight };

export interface AwaitRequest {
  night: string;
  workflow: string;
  /** With it: also when the night that holds the turn has another run than this one, so that it can be stopped. null: it had none. */
  run?: string | null;
}

export function createTurnActivities({ store }: StoreDeps) {
  return {
    /** The turn, if no other night holds it. One holds it until its workflow and its run are over. Safe to repeat: a night has one turn. */
    async takeNightTurn({ night, workflow, at, queues = false }: TurnRequest): Promise<TurnAnswer> {
      const turns = new Turns(store.root, night);
      if (queues && (await turns.queue({ workflow, at })) === 'new') await Context.current().sleep(gatherMs);
      for (let round = 0; round < rounds; round += 1) {
        const newest = await turns.newest();
        if (newest?.workflow === workflow) return { turn: await taken(turns, newest) };
        const before =
          (newest === undefined ? undefined : await holder(turns, newest)) ??
          (queues ? await firstInQueue(turns, workflow) : undefined);
        if (before !== undefined) return { turn: null, before };
        const turn = { number: (newest?.number ?? 0) + 1, workflow, at };
        if ((await turns.take(turn)) === 'ours') return { turn: await taken(turns, turn) };
      }
      throw passing('Superseded', `night "${night}": others took ${rounds} turns while one was asked for`);
    },

    /** Returns when the night that holds the turn is over, and no earlier one waits for it. It only looks. */
    async awaitNightTurn({ night, workflow, run: known }: AwaitRequest): Promise<void> {
      await heartbeating('waiting for the night before', async () => {
        const turns = new Turns(store.root, night);
        for (;;) {
          const newest = await turns.newest();
          if (newest?.workflow === workflow) return;
          const before = newest === undefined ? undefined : await holder(turns, newest);
          if (before === undefined && (await firstInQueue(turns, workflow)) === undefined) return;
          const run = before?.run ?? null;
          if (known !== undefined && run !== null && run !== known) return;
          await Context.current().sleep(pauseMs);
        }
      });
    },
  };
}

/** Its number. A night that has its turn waits no more. */
async function taken(turns: Turns, { number, workflow }: Turn): Promise<number> {
  await turns.unqueue(workflow);
  return number;
}

/** The earliest night that waits, if it is another one. Those that are over wait no more. */
async function firstInQueue(turns: Turns, workflow: string): Promise<EarlierNight | undefined> {
  for (const one of await turns.queued()) {
    if (one.workflow === workflow) return undefined;
    if ((await lookAt(one.workflow)).isOpen) return { ...one, run: null, status: 'running' };
    await turns.unqueue(one.workflow);
  }
  return undefined;
}

/** The night that has the turn, if it is not over. */
async function holder(turns: Turns, { number, workflow, at }: Turn): Promise<EarlierNight | undefined> {
  const run = (await turns.run(number))?.run ?? null;
  const itself = await lookAt(workflow);
  const ofRun = run === null ? undefined : await lookAt(run);
  if (!itself.isOpen && ofRun?.isOpen !== true) return undefined;
  return { at, workflow, run, status: ofRun?.says === 'waiting' ? 'waiting' : 'running' };
}
