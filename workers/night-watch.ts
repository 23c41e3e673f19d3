/**
 * The night watch: notices a night that did not begin, and why, and a schedule whose night this release cannot read. When a night is due is asked of Temporal at each look and kept on disk
 * (`<store>/nights/<night>/due.json`), so it is known too while no server answers.
 *
 * It looks under the lease of notices (`notices.ts`). kill -9 between a notice and the file: the notice is made again under the same id, and is one.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Client,
  type ScheduleDescription,
  ScheduleNotFoundError,
  ServiceError,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import * as z from 'zod';
import { writeFileAtomic } from '../activities/store/durable-file.ts';
import { type Cluster, clusterOfQueue } from '../domain/clusters.ts';
import { describeFaults } from '../domain/errors.ts';
import { nightScheduleId, isSafeName, paths } from '../domain/names.ts';
import { notBegunNotice, unreadableNotice } from '../domain/nights/night-notices.ts';
import { namesIn, whenListed } from '../files/fresh-look.ts';
import { parseJson } from '../files/json.ts';
import { readRegularText } from '../files/regular-file.ts';
import { schemaFaults } from '../input/input-fault.ts';
import { nightSchema } from '../input/night-file.ts';
import { eachAlone } from './each-alone.ts';
import type { NoticeKeeper } from './run-observer.ts';

/** How long after its time a night may begin before people are told. With the pause between looks it is less than 15 minutes. */
export const graceMs = 10 * 60_000;
/** What is older is not told any more. */
const oldMs = 7 * 86_400_000;
const serverMs = 10_000;
const maxBytes = 256 * 1024;
/** Events of a workflow that a worker has taken up: started, task scheduled, task started, and its end. */
const takenUpEvents = 4;
const prefix = nightScheduleId('');
const dueName = 'due.json';

/** What is kept of a night: no more than the watch needs, so that it is read by other releases too. */
const watchedSchema = z.object({
  name: z.string().refine((name) => isSafeName(name)),
  tell: z.array(z.string()).exactOptional(),
  jitter_minutes: z.number(),
  catch_up_minutes: z.number(),
});
/** Of a night that this release cannot read: whom it would tell. */
const toldSchema = z.object({ tell: z.array(z.string()) });

const dueSchema = z.object({
  schema: z.literal(1),
  night: watchedSchema,
  /** ISO, UTC, jitter included; past ones until they have been looked at. */
  due: z.array(z.string()),
  /** Why the schedule is paused. null: it is not. */
  paused: z.string().nullable(),
});
type Due = z.output<typeof dueSchema>;
type Watched = z.output<typeof watchedSchema>;

export class NightWatch {
  readonly #client: Client;
  readonly #outbox: Pick<NoticeKeeper, 'put'>;
  readonly #store: string;
  readonly #cluster: Cluster;

  constructor(client: Client, outbox: Pick<NoticeKeeper, 'put'>, store: string, cluster?: Cluster) {
    this.#client = client;
    this.#outbox = outbox;
    this.#store = store;
    this.#cluster = cluster;
  }

  /** One look. A server that does not answer is no failure: it is what people are told. */
  async look(now: Date): Promise<void> {
    const kept = new Map((await this.#read()).map((one) => [one.night.name, one]));
    const names = await this.#answer(() => this.#names());
    await eachAlone(new Set([...kept.keys(), ...(names ?? [])]), async (name) => {
      const before = kept.get(name);
      const asked = names && (await this.#answer(async () => ({ found: await this.#askOne(name, before, now) })));
      const one = asked === undefined ? before : asked.found;
      if (one === undefined) return;
      const due: string[] = [];
      for (const at of one.due) if (!(await this.#isSettled(one, at, now, names === undefined))) due.push(at);
      await this.#keep({ ...one, due }, before);
    });
  }

  /** What the server answers. Undefined: it does not, in good time. */
  async #answer<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#client.withDeadline(Date.now() + serverMs, ask);
    } catch (error) {
      if (error instanceof ServiceError) return undefined;
      throw error;
    }
  }

  /** Of all nights that have a schedule. */
  async #names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { scheduleId } of this.#client.schedule.list()) {
      if (scheduleId.startsWith(prefix)) names.push(scheduleId.slice(prefix.length));
    }
    return names;
  }

  /** As Temporal has it, with what was due before now as it was kept. Undefined: it was deleted, is none of ours, or is another cluster's. */
  async #askOne(name: string, before: Due | undefined, now: Date): Promise<Due | undefined> {
    if (!isSafeName(name)) return undefined; // no night file makes such a schedule
    const described = await this.#describe(name);
    if (described === undefined || clusterOfQueue(described.action.taskQueue) !== this.#cluster)
      return this.#forget(name);
    const { state, info } = described;
    const night = watchedOf(name, described);
    const why = faultsOf(described);
    if (why !== undefined)
      await this.#outbox.put(unreadableNotice(night, info.lastUpdatedAt ?? info.createdAt, now.toISOString(), why));
    const past = (before?.due ?? []).filter((at) => new Date(at) <= now);
    const next = info.nextActionTimes.map((at) => at.toISOString()).filter((at) => !past.includes(at));
    return { schema: 1, night, due: [...past, ...next], paused: state.paused ? (state.note ?? '') : null };
  }

  /** Undefined: there is no such schedule. */
  async #describe(name: string): Promise<ScheduleDescription | undefined> {
    try {
      return await this.#client.schedule.getHandle(nightScheduleId(name)).describe();
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      return undefined;
    }
  }

  async #forget(name: string): Promise<undefined> {
    await rm(join(paths.night(this.#store, name), dueName), { force: true });
  }

  /** Has the night of `at` begun, or were people told that it has not? A begun one is settled at once: later the server may be away. */
  async #isSettled({ night, paused }: Due, at: string, now: Date, isSilent: boolean): Promise<boolean> {
    const late = now.getTime() - new Date(at).getTime();
    if (late < 0) return false;
    if (late > oldMs) return true;
    const begun = (isSilent ? undefined : await this.#answer(() => this.#isBegun(night, at))) ?? 'unknown';
    if (begun === 'yes') return true;
    if (late < graceMs) return false;
    const why =
      begun === 'unknown'
        ? 'no Temporal server answers'
        : begun === 'not-taken-up'
          ? 'no worker has taken it up'
          : paused === null
            ? 'Temporal began none: its server was away for too long, or the schedule was paused then'
            : `its schedule is paused${paused === '' ? '' : `: ${paused}`}`;
    const until = new Date(new Date(at).getTime() + night.catch_up_minutes * 60_000);
    const mayBegin = begun !== 'no' && until > now;
    await this.#outbox.put(notBegunNotice(night, at, now.toISOString(), why, mayBegin ? until.toISOString() : null));
    return true;
  }

  async #isBegun({ name, jitter_minutes: jitter }: Due['night'], at: string): Promise<'yes' | 'no' | 'not-taken-up'> {
    const due = new Date(at).getTime();
    const since = new Date(due - 60_000).toISOString();
    const query = `WorkflowType = 'runNight' AND CriticNight = '${name}' AND StartTime >= '${since}'`;
    for await (const info of this.#client.workflow.list({ query })) {
      const nominal = nominalOf(info);
      if (nominal > due + 1000 || nominal < due - jitter * 60_000 - 1000) continue;
      if (info.status.name !== 'RUNNING') return 'yes';
      const { historyLength } = await this.#client.workflow.getHandle(info.workflowId, info.runId).describe();
      return historyLength > takenUpEvents ? 'yes' : 'not-taken-up';
    }
    return 'no';
  }

  async #read(): Promise<Due[]> {
    const folder = join(this.#store, 'nights');
    const found: Due[] = [];
    for (const name of await namesIn(folder)) {
      if (!isSafeName(name)) continue;
      const text = await whenListed(folder, `${name}/${dueName}`, (path) => readRegularText(path, maxBytes), 0);
      const { data } = dueSchema.safeParse(text === undefined ? undefined : parseJson(text));
      if (data !== undefined) found.push(data);
    }
    return found;
  }

  async #keep(due: Due, before: Due | undefined): Promise<void> {
    if (JSON.stringify(before) === JSON.stringify(due)) return;
    const folder = paths.night(this.#store, due.night.name);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await writeFileAtomic(join(folder, dueName), `${JSON.stringify(due)}\n`);
  }
}

/** Of a night that this release cannot read, what the schedule itself says. */
function watchedOf(name: string, { action, spec, policies }: ScheduleDescription): Watched {
  const { tell } = toldSchema.safeParse(action.args?.[0]).data ?? {};
  return {
    name,
    ...(tell === undefined ? {} : { tell }),
    jitter_minutes: (spec.jitter ?? 0) / 60_000,
    catch_up_minutes: policies.catchupWindow / 60_000,
  };
}

/** Why this release cannot read the night that the schedule begins. Undefined: it can. */
function faultsOf({ action }: ScheduleDescription): string | undefined {
  const { error } = nightSchema.safeParse(action.args?.[0], { reportInput: true });
  return error && describeFaults('its schedule', schemaFaults(error, 'night'));
}

/** When the schedule says that it was to begin, without jitter. */
function nominalOf({ searchAttributes, startTime }: WorkflowExecutionInfo): number {
  const scheduled = searchAttributes['TemporalScheduledStartTime']?.[0];
  return (scheduled instanceof Date ? scheduled : startTime).getTime();
}
