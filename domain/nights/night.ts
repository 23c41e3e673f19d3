/**
 * Nights: runs that a schedule begins. A night's file is checked once (`input/night-file.ts`) and travels as plain data with its Temporal schedule into
 * the workflow of each night (`workflows/nights/run-night.ts`). Its fields have the names that the file has.
 */
import type { RunPlan } from '../plan.ts';
import { nightScheduleId } from '../names.ts';

export const overlaps = ['skip', 'queue', 'take-over'] as const;
export const daysOfWeek = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

export interface NightCalendar {
  /** Local time, `HH:MM`. */
  at: string;
  /** On these days alone. Undefined: on each. */
  days_of_week?: (typeof daysOfWeek)[number][];
  /** 1 to 31. Undefined: on each. */
  days_of_month?: number[];
}

export interface Night {
  schema: 1;
  name: string;
  /** Where its nights run. Undefined: on the cluster without a name. */
  cluster?: string;
  /** Absolute folder, as the worker sees it, in which `recipe` is looked for when a night begins. */
  source: string;
  /** The recipe's path in `source`. */
  recipe: string;
  /** When it begins: this or `cron`. */
  calendar?: NightCalendar;
  /** Five fields. */
  cron?: string;
  /** IANA name of the zone in which `calendar`, `cron` and `deadline` are. */
  time_zone: string;
  /** It begins up to so much later, at random. */
  jitter_minutes: number;
  /** What it does if the night before it goes on: is skipped, waits for its end, or stops it and goes on from its checkpoint. */
  overlap: (typeof overlaps)[number];
  /** How much later than planned it may begin, where a server or worker was away. */
  catch_up_minutes: number;
  /** A night that fails pauses the schedule. */
  pause_on_failure: boolean;
  owner?: string;
  /** Names of channels that are told of it. Undefined: the default ones. */
  tell?: string[];
  /** Local time, `HH:MM`, by which it should have ended. */
  deadline?: string;
  at_deadline: 'go-on' | 'stop';
}

/**
 * How a night ended. `wrong-recipe`: no run was begun. `stopped`: by its deadline, with a checkpoint from which the next night goes on. `failed`: the run
 * was aborted, terminated or broke.
 */
export const nightVerdicts = [
  'passed',
  'not-passed',
  'failed',
  'cancelled',
  'stopped',
  'skipped',
  'wrong-recipe',
] as const;
export type NightVerdict = (typeof nightVerdicts)[number];

/** Result of the workflow of one night. */
export interface NightResult {
  night: string;
  /** When it was to begin (ISO, UTC). */
  at: string;
  verdict: NightVerdict;
  /** Why, in one sentence. */
  sentence: string;
  /** Null if none was begun. */
  run: string | null;
  /** Every artifact was there already. */
  nothingNew: boolean;
}

/** A night with its time. */
export interface Tonight {
  night: Night;
  /** When it was to begin (ISO, UTC). */
  at: string;
}

/** A night that holds the turn of its schedule. */
export interface EarlierNight {
  at: string;
  workflow: string;
  run: string | null;
  /** `waiting`: its run asks the operator. */
  status: 'running' | 'waiting';
}

/** What a night begins with. */
export interface NightBeginning {
  plan: RunPlan;
  /** Commit of the folder from which the recipe was read. Null: it is in no git repository, or git does not say. */
  commit: string | null;
  /** ISO, UTC. Null: the night has none. */
  deadline: string | null;
}

/** How the run of a night ended. */
export interface NightOutcome {
  verdict: Exclude<NightVerdict, 'skipped' | 'wrong-recipe'>;
  sentence: string;
  nothingNew: boolean;
}

/** Should it pause its schedule, if it is to do that on failure? */
export function pausesSchedule(verdict: NightVerdict): boolean {
  return verdict === 'failed' || verdict === 'wrong-recipe';
}

/** Why a run is stopped whose next night takes over: the note of its pause. */
export const takesOver = 'the next night takes over';

/** Id of the workflow of one night, as a Temporal schedule makes it: the action's id, then the time to the second. */
export function nightWorkflowId(night: string, at: Date): string {
  return `${nightScheduleId(night)}-${at.toISOString().replace(/\.\d+Z$/, 'Z')}`;
}

/** The id of a notice: the same for the same night and happening. */
export function nightNoticeId(night: string, at: string, what: string): string {
  const stamp = new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[-:]/g, '')
    .replace('T', '-');
  return `night-${night}-${stamp}-${what}`;
}

/**
 * The first time after `after` at which the clocks of a zone show `time` (`HH:MM`). A time that is skipped when clocks go forward is taken as if they had
 * not; of one that comes twice, one is taken.
 */
export function nextLocalTime(time: string, zone: string, after: Date): Date {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  const local = new Date(after.getTime() + offsetMs(after, zone));
  for (let days = 0; ; days += 1) {
    const wanted = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate() + days, hour, minute);
    const guess = new Date(wanted - offsetMs(new Date(wanted), zone));
    const found = new Date(wanted - offsetMs(guess, zone));
    if (found > after) return found;
  }
}

/** Local time minus UTC, ms. */
function offsetMs(at: Date, zone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at.getTime() / 1000) * 1000;
}
