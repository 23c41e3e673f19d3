/**
 * The workflow bundle: all workflow code in one file, as Temporal's SDK wants it. To build it takes seconds in which a new worker watches nothing, so it is kept
 * below `node_modules/.cache/`, under a hash of all that goes into it: the sources of both rooms, the lock file and the SDK's version. A change of any of them
 * builds another one. A kept file says its own hash, so one that was cut short or changed is not taken.
 *
 * kill -9 before the rename leaves a `.tmp` that nobody reads. Two workers that build at once write the same. A folder that cannot be written costs only time.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Runtime } from '@temporalio/worker';
import { writeFileAtomic } from '../activities/store/durable-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Rooms that workflow code comes from. `tests/workers/workflow-bundle.test.ts` holds that there is no other one. */
export const bundledRooms = ['workflows', 'domain'] as const;
const mark = '\n//# critic-sha256=';

export interface BundlePlaces {
  /** Folder with the rooms and the lock file. */
  sources: string;
  cache: string;
}
const usual: BundlePlaces = { sources: root, cache: join(root, 'node_modules/.cache/critic') };

/** The bundle of the sources as they are now, from the cache where it is there. `build` is asked for one that is not. */
export async function keptBundle(
  places: BundlePlaces = usual,
  build: (workflowsPath: string) => Promise<{ code: string }> = bundle,
): Promise<{ code: string }> {
  const hash = await hashOf(places.sources);
  const name = `workflows-${hash}.js`;
  const kept = await readKept(join(places.cache, name));
  if (kept !== undefined) return { code: kept };
  const { code } = await build(join(places.sources, 'workflows/index.ts'));
  // Sources that changed meanwhile may be in it.
  if ((await hashOf(places.sources)) === hash) await keep(places.cache, name, code);
  return { code };
}

async function bundle(workflowsPath: string): Promise<{ code: string }> {
  return bundleWorkflowCode({ workflowsPath, logger: Runtime.instance().logger });
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function hashOf(sources: string): Promise<string> {
  const sdk: unknown = createRequire(import.meta.url)('@temporalio/worker/package.json');
  const parts = [JSON.stringify(sdk), await readFile(join(sources, 'package-lock.json'), 'utf8')];
  for (const room of bundledRooms) {
    const names = (await readdir(join(sources, room), { recursive: true })).filter((name) => name.endsWith('.ts'));
    for (const name of names.toSorted()) {
      parts.push(join(room, name), await readFile(join(sources, room, name), 'utf8'));
    }
  }
  return sha256(JSON.stringify(parts)).slice(0, 32);
}

/** Undefined: it is not there, or not whole. */
async function readKept(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined); // whatever it is, it is built anew
  const end = text?.lastIndexOf(mark) ?? -1;
  if (text === undefined || end === -1) return undefined;
  const code = text.slice(0, end);
  return text.slice(end + mark.length).trim() === sha256(code) ? code : undefined;
}

/** Bundles of other sources go: whoever needs one builds it. */
async function keep(cache: string, name: string, code: string): Promise<void> {
  try {
    await mkdir(cache, { recursive: true });
    await writeFileAtomic(join(cache, name), `${code}${mark}${sha256(code)}\n`);
    const others = (await readdir(cache)).filter((one) => one.startsWith('workflows-') && one !== name);
    await Promise.all(others.map((one) => rm(join(cache, one), { force: true })));
  } catch (error) {
    // Read-only, or full: the next worker builds it again.
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}
