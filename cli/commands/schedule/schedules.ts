/** Schedules of nights as Temporal has them: found, read, made from a night. */
import {
  type CalendarSpec,
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  type ScheduleOptions,
} from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { type Cluster, clusterOfQueue, queueOf } from '../../../domain/clusters.ts';
import { nightScheduleId } from '../../../domain/names.ts';
import type { Night } from '../../../domain/nights/night.ts';
import { nightSchema } from '../../../input/night-file.ts';
import type { runNight } from '../../../workflows/nights/run-night.ts';
import { CliError } from '../../cli-error.ts';

export const nightType = 'runNight' satisfies (typeof runNight)['name'];
const prefix = nightScheduleId('');
const nightKey = defineSearchAttributeKey('CriticNight', SearchAttributeType.KEYWORD);
const ownerKey = defineSearchAttributeKey('CriticOwner', SearchAttributeType.KEYWORD);

/** A schedule of a night. `night` is undefined if it was made by another release or by hand. */
export interface Standing {
  name: string;
  handle: ScheduleHandle;
  described: ScheduleDescription;
  night: Night | undefined;
}

/** All schedules of nights, by name. Temporal's list may be seconds behind; what it names is asked for. */
export async function standingNights(client: Client): Promise<Standing[]> {
  const found: Standing[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if (!scheduleId.startsWith(prefix)) continue;
    const one = await standing(client, scheduleId.slice(prefix.length));
    if (one !== undefined) found.push(one);
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Where its nights run, as Temporal has it. */
export function clusterOfStanding({ described: { action } }: Standing): Cluster {
  return clusterOfQueue(action.taskQueue);
}

/** Undefined: there is none. */
export async function standing(client: Client, name: string): Promise<Standing | undefined> {
  const handle = client.schedule.getHandle(nightScheduleId(name));
  try {
    const described = await handle.describe();
    return { name, handle, described, night: nightOf(described) };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** Throws a CliError that names the night. */
export async function requireStanding(client: Client, name: string): Promise<Standing> {
  const found = await standing(client, name);
  if (found !== undefined) return found;
  throw new CliError(`night "${name}": expected the name of a schedule, got none; "critic schedule list" lists them`);
}

function nightOf({ action }: ScheduleDescription): Night | undefined {
  return nightSchema.safeParse(action.args?.[0]).data;
}

/** Everything of a schedule that a night's file says. Nights may overlap as far as Temporal goes: the night itself decides, and tells people. */
export function scheduleOf(night: Night): ScheduleOptions {
  const { name, calendar, cron, time_zone: timezone, jitter_minutes: jitter, catch_up_minutes: catchUp, owner } = night;
  return {
    scheduleId: nightScheduleId(name),
    spec: {
      ...(calendar === undefined ? {} : { calendars: [calendarOf(calendar)] }),
      ...(cron === undefined ? {} : { cronExpressions: [cron] }),
      timezone,
      ...(jitter === 0 ? {} : { jitter: jitter * 60_000 }),
    },
    action: {
      type: 'startWorkflow',
      workflowType: nightType,
      workflowId: nightScheduleId(name),
      taskQueue: queueOf('workflows', night.cluster),
      args: [night],
      staticSummary: `night ${name}: ${night.recipe}`,
      typedSearchAttributes: [
        { key: nightKey, value: name },
        ...(owner === undefined ? [] : [{ key: ownerKey, value: owner }]),
      ],
    },
    policies: { overlap: 'ALLOW_ALL', catchupWindow: catchUp * 60_000, pauseOnFailure: false },
  };
}

function calendarOf({ at, days_of_week: week, days_of_month: month }: NonNullable<Night['calendar']>): CalendarSpec {
  const [hour = 0, minute = 0] = at.split(':').map(Number);
  const upper = {
    monday: 'MONDAY',
    tuesday: 'TUESDAY',
    wednesday: 'WEDNESDAY',
    thursday: 'THURSDAY',
    friday: 'FRIDAY',
    saturday: 'SATURDAY',
    sunday: 'SUNDAY',
  } as const;
  return {
    hour,
    minute,
    ...(week === undefined ? {} : { dayOfWeek: week.map((day) => upper[day]) }),
    ...(month === undefined ? {} : { dayOfMonth: month }),
  };
}
