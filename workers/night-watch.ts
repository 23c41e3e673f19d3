/**
 * The night watch: notices a night that did not begin, and why. When a night is due is asked of Temporal at each look and kept on disk
 * (`<store>/nights/<night>/due.json`), so it is known too while no server answers.
 *
 * It looks under the lease of notices (`notices.ts`). kill -9 between a notice and the file: the notice is made again under the same id, and is one.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, ScheduleNotFoundError, ServiceError, type WorkflowExecutionInfo } from '@temporalio/client';
import * as z from 'zod';
import { writeFileAtomic } from '../activities/store/durable-file.ts';
import { type Cluster, clusterOfQueue } from '../domain/clusters.ts';
import { nightScheduleId, isSafeName, paths } from '../domain/names.ts';
import { notBegunNotice } from '../domain/nights/night-notices.ts';
import { namesIn, whenListed } from '../files/fresh-look.ts';
import { parseJson } from '../files/json.ts';
import { readRegularText } from '../files/regular-file.ts';
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

const dueSchema = z.object({
  schema: z.literal(1),
  night: nightSchema,
  /** ISO, UTC, jitter included; past ones until they have been looked at. */
  due: z.array(z.string()),
  /** Why the schedule is paused. null: it is not. */
  paused: z.string().nullable(),
});
type Due = z.output<typeof dueSchema>;

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
    try {
      const { action, state, info } = await this.#client.schedule.getHandle(nightScheduleId(name)).describe();
      if (clusterOfQueue(action.taskQueue) !== this.#cluster) return await this.#forget(name);
      const { data: night } = nightSchema.safeParse(action.args?.[0]);
      if (night === undefined) return undefined;
      const past = (before?.due ?? []).filter((at) => new Date(at) <= now);
      const next = info.nextActionTimes.map((at) => at.toISOString()).filter((at) => !past.includes(at));
      return { schema: 1, night, due: [...past, ...next], paused: state.paused ? (state.note ?? '') : null };
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      return this.#forget(name);
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

/** When the schedule says that it was to begin, without jitter. */
function nominalOf({ searchAttributes, startTime }: WorkflowExecutionInfo): number {
  const scheduled = searchAttributes['TemporalScheduledStartTime']?.[0];
  return (scheduled instanceof Date ? scheduled : startTime).getTime();
}
