/**
 * Champions on disk: `<store>/champions/<name>/000007.json`, one file for each promotion, never changed. The highest number is the champion, and
 * all files together are the history. Each names the version that it follows.
 *
 * A promotion is a compare-and-set: a temporary file, synced, then link(2) to the next number. Whoever comes second, in any process on any host,
 * gets EEXIST from the file server, however old its view of the folder is. kill -9 before the link leaves a `.tmp` that nobody reads. After the
 * link the promotion is made. If the answer to the link was lost (NFS repeats it and then says EEXIST), the file is read: it is of this run.
 *
 * Before there were versions, a champion was `<name>.json` beside `<name>.history.jsonl`. They are read as the first versions and not changed.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { FileFault, readRegularFile } from '../../files/regular-file.ts';
import { hasCode, syncFolder } from '../store/durable-file.ts';
import { passing, refuse } from '../failure.ts';
import { parseJson } from '../../files/json.ts';

/** A record has a few KiB. */
const maxBytes = 1024 * 1024;
/** How long an old view of the folder may hide a file: NFS caches names for at most a minute. */
const hiddenMs = 90_000;
const pauseMs = 2000;

const placeSchema = z.object({ key: z.string().min(1), path: z.string().min(1) });
const promotedSchema = z.object({
  run: z.string().min(1),
  /** The GRPO artifact. The Hugging Face folder is `model/` in it. */
  model: placeSchema,
  /** Where its judged answers are, for the next comparison. */
  evaluation: placeSchema,
  main_score: z.number().nullable(),
});
const championSchema = promotedSchema.extend({
  schema: z.literal(2),
  version: z.int().min(1),
  /** The champion that it was judged against and follows, which is always version − 1. Null for the first. */
  base: z.int().min(1).nullable(),
  /** Its answers to the test split, for a person to look at. */
  predictions: placeSchema,
  decided_at: z.string(),
  /** What the gate said when it was promoted. A retried activity gives the same answer. */
  decision: z.object({
    passed: z.boolean(),
    // Absent in records of earlier releases, which held promotions alone.
    outcome: z.enum(['promote', 'keep', 'needs-person']).default('promote'),
    reasons: z.array(z.string()),
    mainScore: z.number().nullable(),
    champion: z.string().nullable(),
  }),
  /** What the next candidates are compared with, beside this champion. It is the champion itself if it was shown to be better than its reference. */
  reference: promotedSchema.extend({ version: z.int().min(1) }),
  /** The person who made it champion (`critic champion`); absent: the gate did. `request` is new for each such act. */
  by: z.object({ name: z.string(), reason: z.string(), request: z.string() }).exactOptional(),
});
/** A champion, and what is kept of one that others are compared with. */
export type Champion = z.output<typeof championSchema>;
export type Reference = Champion['reference'];

const oldSchema = championSchema.omit({ version: true, base: true, reference: true }).extend({ schema: z.literal(1) });

/** How the folder is seen. A test looks through an old view. */
export interface FolderView {
  names(folder: string): Promise<string[]>;
  /** Content, or undefined if there is no such file. */
  text(path: string): Promise<string | undefined>;
}

export const ownView: FolderView = { names: namesIn, text: textOf };

/**
 * All champions, oldest first. Empty if there was never one. `atLeast` is a version that is known to exist: if the view does not show it yet, it
 * is waited for. Throws `DataInvalid`, which names a file that is no champion's record, and a retryable `ChampionChanged` if the awaited
 * version stays hidden.
 */
export async function readChampions(
  folder: string,
  signal: AbortSignal,
  atLeast = 0,
  view: FolderView = ownView,
): Promise<Champion[]> {
  const names = await view.names(folder);
  const found = new Map((await oldForm(folder, view)).map((champion) => [champion.version, champion]));
  const listed = names.flatMap((name) => /^(\d{6,})\.json$/.exec(name)?.[1] ?? []).map(Number);
  const versions = new Set(atLeast > found.size ? [...listed, atLeast] : listed);
  for (const version of versions) {
    const path = versionPath(folder, version);
    const text = version === atLeast ? await awaited(path, signal, view) : await view.text(path);
    if (text !== undefined) found.set(version, championOf(path, text, version));
  }
  return [...found.values()].toSorted((a, b) => a.version - b.version);
}

/** Makes `champion` the next version, or says that this number is taken. Then everything is judged again. */
export async function promote(folder: string, champion: Champion): Promise<'promoted' | 'taken'> {
  const made = await mkdir(folder, { recursive: true, mode: 0o750 });
  if (made !== undefined) for (const above of [dirname(folder), dirname(dirname(folder))]) await syncFolder(above);
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o440);
    try {
      await file.writeFile(`${JSON.stringify(championSchema.parse(champion), null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, versionPath(folder, champion.version));
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return 'taken';
    throw error;
  } finally {
    await removed(temporary);
  }
  await syncFolder(folder);
  return 'promoted';
}

export function versionPath(folder: string, version: number): string {
  return join(folder, `${String(version).padStart(6, '0')}.json`);
}

/** Content of a file that exists, even if this host's view hides it for a while. */
async function awaited(path: string, signal: AbortSignal, view: FolderView): Promise<string> {
  for (const started = Date.now(); ;) {
    const text = await view.text(path);
    if (text !== undefined) return text;
    if (Date.now() - started >= hiddenMs) {
      throw passing('ChampionChanged', `"${path}" exists, but this host does not see it yet`);
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

/** Champions from before there were versions, oldest first. A half-written line of the history has a whole one after it. */
async function oldForm(folder: string, view: FolderView): Promise<Champion[]> {
  const path = `${folder}.json`;
  const text = await view.text(path);
  if (text === undefined) return [];
  const lines = ((await view.text(`${folder}.history.jsonl`)) ?? '').split('\n');
  const last = checked(path, text, oldSchema);
  const before = lines.flatMap((line) => oldSchema.safeParse(parseJson(line)).data ?? []);
  const all = [...before.filter((one) => JSON.stringify(one) !== JSON.stringify(last)), last];
  return all.map((one, index) => {
    const version = index + 1;
    const { run, model, evaluation, main_score } = one;
    const reference = { version, run, model, evaluation, main_score };
    return { ...one, schema: 2, version, base: index === 0 ? null : index, reference };
  });
}

function championOf(path: string, text: string, version: number): Champion {
  const champion = checked(path, text, championSchema);
  if (champion.version === version && champion.base === (version === 1 ? null : version - 1)) return champion;
  throw invalid(path, `got version ${champion.version} after ${champion.base ?? 'none'}`);
}

function checked<T>(path: string, text: string, schema: z.ZodType<T>): T {
  const value = parseJson(text);
  if (value === undefined) throw invalid(path, `got text that is no JSON (${text.length} characters)`);
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw invalid(path, z.prettifyError(read.error));
}

function invalid(path: string, why: string): ApplicationFailure {
  return refuse('DataInvalid', `champion file "${path}": expected a champion's record, ${why}`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await readRegularFile(path, maxBytes)).toString('utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (error instanceof FileFault) throw invalid(path, error.message);
    throw error;
  }
}

async function removed(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
