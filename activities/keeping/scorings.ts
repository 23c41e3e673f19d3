/**
 * What scorings have left in `scores/` and `evaluations/`: which of it goes. A scoring whose workflow goes on, or may be resumed, keeps it, and so does a pin of its
 * pairs or its answers (`made-from.json`). What is no folder, or has no name of a scoring, is not ours. It only reads.
 */
import { type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import * as z from 'zod';
import { graceMs, dayMs } from '../../domain/keeping/retention.ts';
import { isSafeName } from '../../domain/names.ts';
import { parseJson } from '../../files/json.ts';
import { FileFault } from '../../files/regular-file.ts';
import { hasCode, readIfPresent } from '../store/durable-file.ts';
import type { Item } from './removing.ts';
import { modifiedAt, type Roots } from './roots.ts';
import { bytesOf } from './survey.ts';

const folders = ['scores', 'evaluations'];
/** What a gc is removing. */
const removed = /\.(?:trash|going)-\d+$/;

/** Those that were last written `days` ago, a day at least, and that nothing keeps. None where no days are given: they are what people asked for. */
export async function scoringsThatGo(root: string, roots: Roots, now: number, days: number | undefined) {
  if (days === undefined) return [];
  const before = now - Math.max(graceMs, days * dayMs);
  const found: Item[] = [];
  for (const folder of folders) {
    for (const entry of await entriesOf(join(root, folder))) {
      const path = join(root, folder, entry.name);
      if (!entry.isDirectory() || !isSafeName(entry.name) || removed.test(entry.name)) continue;
      const usedAt = await modifiedAt(path);
      if (usedAt === undefined || usedAt >= before || (await isKept(roots, entry.name, path))) continue;
      found.push({ kind: 'scoring', path, bytes: await bytesOf(path), usedAt });
    }
  }
  return found;
}

/** The scoring whose folder it is. */
export function scoringOf(root: string, path: string): string | undefined {
  const [top = '', scoring, ...more] = relative(root, path).split('/');
  return folders.includes(top) && more.length === 0 ? scoring : undefined;
}

/** Is what lies at `at` needed by its workflow, or by a pin? */
export async function isKept({ runs, keys }: Pick<Roots, 'runs' | 'keys'>, scoring: string, at: string) {
  if (runs.has(scoring)) return true;
  const madeFrom = await madeFromAt(at);
  return madeFrom === 'unreadable' || madeFrom.some((key) => keys.has(key));
}

const madeFromSchema = z.looseObject({ pairs: z.string(), predictions: z.string().optional() });

/** Keys. None of a scoring that ended before it had said so, or is of an older release. */
async function madeFromAt(folder: string): Promise<string[] | 'unreadable'> {
  try {
    const text = await readIfPresent(join(folder, 'made-from.json'));
    if (text === undefined) return [];
    const { data } = madeFromSchema.safeParse(parseJson(text));
    return data === undefined ? 'unreadable' : [data.pairs, data.predictions ?? ''];
  } catch (error) {
    if (error instanceof FileFault) return 'unreadable';
    // A file that a crash has left beside the scorings.
    if (hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}
