/**
 * The outbox: what people are told, on disk until it is told. `<store>/notices/<id>.json` is a notice and never changes; `<id>@<channel>.json` says how far
 * its delivery by one channel is.
 *
 * A notice is made by link(2) under its id, so whoever tells the same thing second, in any process on any host, finds it told. kill -9 before the link leaves
 * a `.tmp` that nobody reads (removed after a day); whoever noticed notices again. Deliveries are written by one pump alone (`pump.ts`).
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Cluster } from '../../domain/clusters.ts';
import { type Notice, noticeKinds } from '../../domain/notices/notice.ts';
import { isSafeName, paths } from '../../domain/names.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { refuse } from '../failure.ts';
import { hasCode, syncFolder, writeFileAtomic } from '../store/durable-file.ts';
import { clusterOfStore } from '../store/own-cluster.ts';

const maxBytes = 256 * 1024;
const idChars = 200;
const leftoverMs = 86_400_000;

const noticeSchema: z.ZodType<Notice> = z.object({
  id: z.string(),
  kind: z.enum(noticeKinds),
  at: z.string(),
  run: z.string().exactOptional(),
  night: z.string().exactOptional(),
  cluster: z.string().exactOptional(),
  title: z.string(),
  text: z.string(),
  commands: z.array(z.string()),
  to: z.array(z.string()).exactOptional(),
  also: z.array(z.enum(noticeKinds)).exactOptional(),
});

const deliverySchema = z.object({
  /** `sending`: a try began. If nothing came after it, nobody knows whether the receiver has it. */
  state: z.enum(['pending', 'sending', 'sent', 'given-up']),
  tries: z.int().min(0),
  /** When it was first due, ISO. */
  since: z.string(),
  /** When it is tried next, ISO. */
  next: z.string().optional(),
  sent: z.string().optional(),
  /** Why the last try failed. No secret is in it. */
  error: z.string().optional(),
});
export type Delivery = z.output<typeof deliverySchema>;

export class Outbox {
  readonly folder: string;
  readonly #root: string;

  constructor(storeRoot: string) {
    this.#root = storeRoot;
    this.folder = paths.notices(storeRoot);
  }

  /** Keeps a notice, which names the store's cluster if it has a name. `known`: one of this id is there, and nothing was written. Refuses an id that is no file's name. */
  async put(notice: Notice): Promise<'put' | 'known'> {
    if (!isSafeName(notice.id, idChars)) {
      throw refuse(
        'ConfigInvalid',
        `notice.id: expected 1 to ${idChars} of letters, digits, ".", "_" and "-", got ${JSON.stringify(notice.id.slice(0, 200))}`,
      );
    }
    const told = onCluster(notice, await clusterOfStore(this.#root));
    await mkdir(this.folder, { recursive: true, mode: 0o750 });
    const temporary = join(this.folder, `.${randomUUID()}.tmp`);
    try {
      const file = await open(temporary, 'wx', 0o440);
      try {
        await file.writeFile(`${JSON.stringify(noticeSchema.parse(bounded(told)), null, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await link(temporary, this.#path(notice.id));
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return 'known';
      throw error;
    } finally {
      await unlink(temporary).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error;
      });
    }
    await syncFolder(this.folder);
    return 'put';
  }

  /** When this store first had an outbox, or this channel. What happened before is not told: it is no news. */
  async begun(now: Date, channel?: string): Promise<Date> {
    await mkdir(this.folder, { recursive: true, mode: 0o750 });
    const path = join(this.folder, channel === undefined ? 'begun' : `begun@${channel}`);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return '';
      throw error;
    });
    const begun = new Date(text.trim());
    if (!Number.isNaN(begun.getTime())) return begun;
    await writeFileAtomic(path, `${now.toISOString()}\n`);
    return now;
  }

  /** Removes what was left more than a day ago by those that were killed: half-written files, and deliveries of a notice that was removed. */
  async sweep(now: Date): Promise<void> {
    const names = await namesIn(this.folder);
    for (const name of names) {
      const [, id] = /^(.+)@[a-z0-9-]+\.json$/.exec(name) ?? [];
      if (!name.endsWith('.tmp') && (id === undefined || names.has(`${id}.json`))) continue;
      const path = join(this.folder, name);
      try {
        if (now.getTime() - (await stat(path)).mtimeMs > leftoverMs) await unlink(path);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
  }

  /**
   * Removes a notice, whether it was delivered or not, and what is known of its deliveries. The notice goes first: without it nothing is sent. kill -9
   * between the two leaves deliveries that `sweep` removes.
   */
  async remove(id: string): Promise<void> {
    const deliveries = Object.keys(await this.deliveries(id));
    for (const name of [id, ...deliveries.map((channel) => `${id}@${channel}`)])
      await unlink(this.#path(name)).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error;
      });
  }

  /** Ids of all notices. */
  async ids(): Promise<string[]> {
    return [...(await namesIn(this.folder))].flatMap((name) => /^([A-Za-z0-9][^@]*)\.json$/.exec(name)?.[1] ?? []);
  }

  /** Undefined if there is none, or this host does not see it yet. Throws for a file that is no notice. */
  async read(id: string): Promise<Notice | undefined> {
    return readIfThere(this.#path(id), noticeSchema);
  }

  async delivery(id: string, channel: string): Promise<Delivery | undefined> {
    return readIfThere(this.#path(`${id}@${channel}`), deliverySchema);
  }

  /** Deliveries of a notice, by the names of channels. `names`: what the folder holds, for who asks for many. */
  async deliveries(id: string, names?: ReadonlySet<string>): Promise<Record<string, Delivery>> {
    const found: [string, Delivery][] = [];
    for (const name of names ?? (await namesIn(this.folder))) {
      const channel = name.startsWith(`${id}@`)
        ? /^([a-z0-9-]+)\.json$/.exec(name.slice(id.length + 1))?.[1]
        : undefined;
      const delivery = channel === undefined ? undefined : await this.delivery(id, channel);
      if (channel !== undefined && delivery !== undefined) found.push([channel, delivery]);
    }
    return Object.fromEntries(found);
  }

  async mark(id: string, channel: string, delivery: Delivery): Promise<void> {
    await writeFileAtomic(this.#path(`${id}@${channel}`), `${JSON.stringify(deliverySchema.parse(delivery))}\n`);
  }

  #path(name: string): string {
    return join(this.folder, `${name}.json`);
  }
}

/** Of several clusters that tell the same people, each says which it is. */
function onCluster(notice: Notice, cluster: Cluster): Notice {
  return cluster === undefined ? notice : { ...notice, cluster, title: `cluster ${cluster}: ${notice.title}` };
}

/** A notice of the size that channels take: whoever tells may quote a log. */
function bounded(notice: Notice): Notice {
  const clip = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  return {
    ...notice,
    title: clip(notice.title.replace(/\s+/g, ' '), 200),
    text: clip(notice.text, 8_000),
    commands: notice.commands.slice(0, 20).map((command) => clip(command, 500)),
  };
}

async function readIfThere<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    const read = schema.safeParse(parseJson(await readRegularText(path, maxBytes)));
    if (read.success) return read.data;
    throw refuse('DataInvalid', `"${path}": expected a notice or its delivery, ${z.prettifyError(read.error)}`);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESTALE')) return undefined;
    throw error;
  }
}
