/**
 * Trouble: tells a run that an activity of it is tried again, and why, so that the run's page in the Temporal UI says so. A run's own code cannot see a try that
 * failed. Each signal costs the run some events, so it is sent only for what fails at two looks in a row, and for a new reason ten minutes apart at the least.
 *
 * Killed between two signals: the next observer tells what still fails, perhaps twice; the run shows the same. What has been mended meanwhile it takes back at
 * its first look at a run, if the run shows it: it is asked, which may have a worker replay it and adds nothing to its history.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { pendingStates, type Trouble } from '../domain/jobs/progress.ts';

/** What is read here of Temporal's `PendingActivityInfo`. */
export interface Pending {
  activityId?: string | null;
  state?: number | null;
  attempt?: number | null;
  lastStartedTime?: { seconds?: unknown } | null;
  lastFailure?: { message?: string | null; applicationFailureInfo?: object | null } | null;
}

const { waitsForATry, works } = pendingStates;
/** A try that works for so long has got further than the one that failed, ms. */
const worksMs = 60_000;
const pauseMs = 600_000;
/** Characters of a reason: it is shown in one cell. */
const mostChars = 500;

/** What is told to, and asked of, one run. */
export interface ToldRun {
  signal: WorkflowHandle['signal'];
  /** Ids of activities whose trouble it shows. Undefined: nobody answers for it now. */
  troubled: () => Promise<ReadonlySet<string> | undefined>;
}

interface Seen {
  /** Looks in a row at which it failed. */
  looks: number;
  told?: { why: string; at: number };
}

export class TroubleTeller {
  /** By run, in Temporal's words, and activity. */
  readonly #seen = new Map<string, Map<string, Seen>>();
  /** Runs that were looked at. */
  readonly #known = new Set<string>();

  /** `run`: Temporal's id of this execution. */
  async look(told: ToldRun, run: string, pending: readonly Pending[], now: Date): Promise<void> {
    const before = this.#seen.get(run) ?? new Map<string, Seen>();
    // Another observer may have told of what works now.
    const mayBeTold = this.#known.has(run) ? [] : pending.filter((one) => failureOf(one, now) === undefined);
    const shown = mayBeTold.some((one) => ownFailure(one) !== undefined) ? await told.troubled() : new Set<string>();
    const after = new Map<string, Seen>();
    for (const activity of pending) {
      const { activityId } = activity;
      if (typeof activityId !== 'string') continue;
      const why = failureOf(activity, now);
      const earlier = why === undefined && shown?.has(activityId) === true ? ownFailure(activity) : undefined;
      const seen = before.get(activityId) ?? {
        looks: 0,
        ...(earlier === undefined ? {} : { told: { why: earlier, at: 0 } }),
      };
      const next = why === undefined ? afterGoodLook(seen, activity) : afterFailure(seen, why, now);
      if (next.tell !== undefined) await send(told, { activityId, ...next.tell });
      if (next.seen.looks > 0 || next.seen.told !== undefined) after.set(activityId, next.seen);
    }
    if (shown !== undefined) this.#known.add(run);
    if (after.size === 0) this.#seen.delete(run);
    else this.#seen.set(run, after);
  }

  /** The execution has ended. */
  forget(run: string): void {
    this.#seen.delete(run);
    this.#known.delete(run);
  }
}

interface Next {
  seen: Seen;
  tell?: { why?: string };
}

function afterFailure({ looks, told }: Seen, why: string, now: Date): Next {
  const seen = { looks: looks + 1, ...(told === undefined ? {} : { told }) };
  const isDue = told === undefined || (told.why !== why && now.getTime() - told.at >= pauseMs);
  if (seen.looks < 2 || !isDue) return { seen };
  return { seen: { ...seen, told: { why, at: now.getTime() } }, tell: { why } };
}

/** What was told is taken back once a try works for a while. */
function afterGoodLook({ told }: Seen, { state }: Pending): Next {
  if (told === undefined) return { seen: { looks: 0 } };
  return state === works ? { seen: { looks: 0 }, tell: {} } : { seen: { looks: 0, told } };
}

/** Why the last try that has ended failed, by itself. A worker that went away is no trouble: another one goes on. */
function ownFailure({ lastFailure, attempt }: Pending): string | undefined {
  const why = lastFailure?.message ?? '';
  const isOwn = (lastFailure?.applicationFailureInfo ?? undefined) !== undefined;
  return (attempt ?? 1) < 2 || !isOwn || why === '' ? undefined : why.slice(0, mostChars);
}

/** The same, if the activity gets no further. */
export function failureOf(activity: Pending, now: Date): string | undefined {
  const { state, lastStartedTime } = activity;
  const began = Number(lastStartedTime?.seconds ?? 0) * 1000;
  const isNew = state === works && now.getTime() - began < worksMs;
  return state === waitsForATry || isNew ? ownFailure(activity) : undefined;
}

async function send(told: ToldRun, trouble: Trouble): Promise<void> {
  try {
    await told.signal<[Trouble]>('trouble', trouble);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error; // the run has ended meanwhile
  }
}
