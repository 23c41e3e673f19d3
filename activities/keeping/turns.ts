/**
 * Turns on disk: `turns/<limit>/slots/<n>` is claimed by a job (activities/store/makers.ts), so never more have one than there are slots. Who waits has
 * a ticket in `turns/<limit>/queue/`, and claims only if it is among the first for whom there is room: that is the order, by the clocks of the workers.
 * A job is `<run>~<stage>`; what it has holds as long as its run's workflow is open.
 *
 * kill -9 while it waits: the next try finds its ticket. After the claim: the next try finds its slot. While it leaves: the next try frees the rest.
 * A run that ends without leaving is over, so its slots are taken over and its tickets removed.
 */
import { mkdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { paths, type JobStage } from '../../domain/names.ts';
import type { Turn } from '../../domain/keeping/turns.ts';
import { namesIn } from '../../files/fresh-look.ts';
import type { StageProgress } from '../../domain/jobs/progress.ts';
import { heartbeating } from '../heartbeating.ts';
import { runStatus } from '../run-status.ts';
import type { StoreDeps } from '../store/deps.ts';
import { hasCode } from '../store/durable-file.ts';
import { claim, free, holderOf } from '../store/makers.ts';

/** Pause between two looks, ms. Each asks Temporal for those that wait and those that have a slot. */
const lookMs = 3000;

export interface TurnInput {
  turns: Turn[];
  run: string;
  stage: JobStage;
}

export function createTurnActivities({ store }: StoreDeps) {
  return {
    /** Returns when the job has all its turns. It may be run again. */
    async takeTurn({ turns, run, stage }: TurnInput): Promise<void> {
      await heartbeating('waits for its turn', async (report) => {
        for (const turn of turns) await take(store.root, turn, `${run}~${stage}`, report);
      });
    },

    /** Gives back what the job has of its turns, its place among those who wait too. */
    async leaveTurn({ turns, run, stage }: TurnInput): Promise<void> {
      const job = `${run}~${stage}`;
      for (const { name, atMost } of turns) {
        for (const slot of slotsOf(store.root, name, atMost)) await free(slot, job);
        await removeTickets(store.root, name, job);
      }
    },
  };
}

async function take(
  root: string,
  { name, atMost }: Turn,
  job: string,
  report: (progress: StageProgress) => void,
): Promise<void> {
  const queue = queueOf(root, name);
  await mkdir(queue, { recursive: true, mode: 0o750 });
  const tickets = [...(await namesIn(queue))].filter((ticket) => jobOf(ticket) === job);
  if (tickets.length === 0) {
    const ticket = `${String(Date.now()).padStart(15, '0')}~${job}`;
    await writeFile(join(queue, ticket), '', { mode: 0o640 });
  }
  for (;;) {
    const holders: string[] = [];
    const slots = slotsOf(root, name, atMost);
    const open: string[] = [];
    for (const slot of slots) {
      const holder = await holderOf(slot);
      if (holder === job) return removeTickets(root, name, job);
      if (holder !== undefined && (await isOpen(holder))) holders.push(holder);
      else open.push(slot);
    }
    if (await isAmongFirst(queue, job, open.length)) {
      for (const slot of open) {
        if ((await claim(slot, job, isOpen)) === job) return removeTickets(root, name, job);
      }
    }
    const whose = holders.map((holder) => holder.split('~')[0]).join(', ');
    report({ state: `waits for its turn: ${name} (at most ${atMost})${whose === '' ? '' : `, ${whose} has it`}` });
    await Context.current().sleep(lookMs);
  }
}

/** Is the job one of the first `places` of those that wait? Tickets of runs that are over are removed. */
async function isAmongFirst(queue: string, job: string, places: number): Promise<boolean> {
  let before = 0;
  for (const ticket of [...(await namesIn(queue))].toSorted()) {
    if (before >= places) return false;
    if (jobOf(ticket) === job) return true;
    if (await isOpen(jobOf(ticket))) before += 1;
    else await removed(join(queue, ticket));
  }
  return false;
}

async function removeTickets(root: string, name: string, job: string): Promise<void> {
  const queue = queueOf(root, name);
  for (const ticket of await namesIn(queue)) if (jobOf(ticket) === job) await removed(join(queue, ticket));
}

async function removed(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function slotsOf(root: string, name: string, atMost: number): string[] {
  return Array.from({ length: atMost }, (_, index) => join(paths.turns(root), name, 'slots', String(index)));
}

function queueOf(root: string, name: string): string {
  return join(paths.turns(root), name, 'queue');
}

function jobOf(ticket: string): string {
  return ticket.slice(ticket.indexOf('~') + 1);
}

async function isOpen(job: string): Promise<boolean> {
  return (await runStatus(job.split('~')[0] ?? '')) === 'open';
}
