/**
 * Garbage: what of a store nobody needs (`domain/keeping/retention.ts` says what that is), and its removal (`removing.ts` says what a kill leads to).
 *
 *   leftover    what a killed process has begun, older than a day
 *   scratch     what jobs of runs that are over and cannot be resumed left beside logs and numbers: output, checkpoints, caches
 *   checkpoint  of runs that go on or may be resumed: all but the last, the best by the dev split, and those in use
 *   scoring     scores and evaluations that neither an open or resumable scoring nor a pin keeps: only if an age is given
 *   artifact    what no run, night, champion, reference or pin needs: only if a goal of free space is given, and until it is reached
 *
 * Never: paid answers (`partial/synthesis`), base models, logs, reports of runs and experiments, champions' records.
 */
import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { paths } from '../../domain/names.ts';
import {
  cutoffOf,
  type GcReport,
  type GcRequest,
  goingKinds,
  graceMs,
  keptCheckpoints,
  type KnownArtifact,
  neededKeys,
  oldestFirst,
} from '../../domain/keeping/retention.ts';
import { viewAgeMs } from '../../files/fresh-look.ts';
import { systemCode } from '../failure.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { hasCode } from '../store/durable-file.ts';
import { findTrash, isAbandoned, type Item, moveToTrash, runOf, settle, type Trashed } from './removing.ts';
import { findRoots, modifiedAt, type Roots } from './roots.ts';
import { isKept, scoringOf, scoringsThatGo } from './scorings.ts';
import { artifactsIn, attemptsIn, bytesOf, checkpointsInUse, checkpointsOf, leftoversIn, scratchOf } from './survey.ts';

const shownItems = 200;
const shownFaults = 20;

/** `between`: called when all that goes is in the trash and nothing is deleted yet. A test does there what another process may do. */
export async function collectGarbage(
  store: ArtifactStore,
  request: GcRequest,
  between: () => Promise<void> = async () => undefined,
): Promise<GcReport> {
  const { root } = store;
  const now = Date.now();
  const before = await freeBytes(root);
  const roots = await findRoots(root, request.resumableDays);
  const scorings = await scoringsThatGo(root, roots, now, request.scoringDays);
  const items = [
    ...scorings,
    ...(await leftovers(root, now)).filter(({ path }) => !scorings.some((one) => path.startsWith(`${one.path}/`))),
    ...(await ofAttempts(root, roots, now)),
    ...(await ofArtifacts(store, roots, request, { now, before })),
  ];
  const faults: string[] = [];
  const kept = request.apply ? await remove(store, request, { items, roots, now, between, faults }) : [];
  const gone = items.filter(({ path }) => !kept.includes(path));
  return reportOf(request, {
    root,
    items: gone,
    kept,
    faults,
    roots,
    now,
    unsettled: (await findTrash(root)).trashed.length,
    free: { before, after: await freeBytes(root), wanted: request.freeBytes },
  });
}

async function leftovers(root: string, now: number): Promise<Item[]> {
  const found = await leftoversIn(root, now - graceMs);
  return Promise.all(found.map((path) => itemOf('leftover', path)));
}

async function itemOf(kind: Item['kind'], path: string): Promise<Item> {
  return { kind, path, bytes: await bytesOf(path), usedAt: (await modifiedAt(path)) ?? 0 };
}

/** Scratch of runs that need nothing any more, and further checkpoints of those that do. */
async function ofAttempts(root: string, { runs }: Roots, now: number): Promise<Item[]> {
  const all = await attemptsIn(root);
  const inUse = await checkpointsInUse(all.filter(({ run }) => runs.has(run)));
  const found: Item[] = [];
  for (const one of all) {
    if (!runs.has(one.run)) {
      const scratch = await Promise.all(one.attempts.map(({ directory }) => scratchOf(directory)));
      for (const path of scratch.flat()) if (!holds(path, inUse)) found.push(await itemOf('scratch', path));
      continue;
    }
    // The newest attempt's job may be at work: its own trainer sees to its checkpoints.
    const newest = one.attempts.at(-1);
    const over = new Set(one.attempts.filter(({ isOver }) => isOver).map(({ attempt }) => attempt));
    if (newest !== undefined && !over.has(newest.attempt)) over.delete(newest.attempt);
    const checkpoints = await checkpointsOf(one);
    const kept = keptCheckpoints(checkpoints, inUse);
    for (const { path, attempt } of checkpoints) {
      if (over.has(attempt) && !kept.has(path)) found.push(await itemOf('checkpoint', path));
    }
  }
  // A job may end this moment, and its run not yet know it.
  return found.filter(({ kind, usedAt }) => kind === 'checkpoint' || usedAt < now - graceMs);
}

function holds(folder: string, inUse: ReadonlySet<string>): boolean {
  return [...inUse].some((path) => path === folder || path.startsWith(`${folder}/`));
}

async function ofArtifacts(
  store: ArtifactStore,
  { roots, keys }: Roots,
  { freeBytes: wanted }: GcRequest,
  { now, before }: { now: number; before: number },
): Promise<Item[]> {
  if (wanted === null || wanted <= before) return [];
  const artifacts = await artifactsIn(store);
  const needed = neededKeys(artifacts, keys, cutoffOf(roots, now).at);
  return oldestFirst(artifacts, needed, wanted - before).map(({ stage, key, bytes, usedAt }) => ({
    kind: 'artifact',
    path: paths.artifact(store.root, stage, key),
    bytes,
    usedAt,
  }));
}

/** Returns the paths of what has stayed. */
async function remove(
  store: ArtifactStore,
  request: GcRequest,
  given: { items: Item[]; roots: Roots; now: number; between: () => Promise<void>; faults: string[] },
): Promise<string[]> {
  const { items, roots, now, between, faults } = given;
  const found = await findTrash(store.root);
  for (const path of found.going) await tried(faults, () => rm(path, { recursive: true, force: true }));
  const trashed = found.trashed.filter((one) => isAbandoned(one, now));
  const kept: string[] = [];
  for (const item of items) {
    const moved = await tried(faults, () => moveToTrash(item, now));
    if (moved === undefined) kept.push(item.path);
    else trashed.push(moved);
  }
  if (trashed.length > 0) await sleep(await viewAgeMs(store.root));
  await between();
  const isNeeded = await neededNow(store, request, roots, trashed);
  for (const one of trashed) {
    const became = await tried(faults, () => settle(one, isNeeded));
    if (became !== 'deleted') kept.push(one.path);
  }
  return kept;
}

/** What is in the trash and is needed after all: a run may have begun, been resumed or found an artifact meanwhile. */
async function neededNow(
  store: ArtifactStore,
  { resumableDays }: GcRequest,
  before: Roots,
  trashed: readonly Trashed[],
): Promise<(path: string) => boolean> {
  const roots = await findRoots(store.root, resumableDays);
  const inUse = await checkpointsInUse((await attemptsIn(store.root)).filter(({ run }) => roots.runs.has(run)));
  const artifacts: KnownArtifact[] = await artifactsIn(store);
  const keyOf = new Map<string, string>();
  const scorings = new Set<string>();
  for (const one of trashed) {
    const scoring = scoringOf(store.root, one.path);
    if (scoring !== undefined && (await isKept(roots, scoring, one.at))) scorings.add(one.path);
    const known = await store.artifactAt(one.at).catch(noFolder);
    if (known === undefined) continue;
    const usedAt = (await modifiedAt(join(one.at, 'manifest.json'))) ?? one.usedAt;
    artifacts.push({ stage: known.stage, key: known.key, bytes: 0, usedAt, ingredients: known.ingredients });
    keyOf.set(one.path, known.key);
  }
  const needed = neededKeys(artifacts, roots.keys, cutoffOf(roots.roots, Date.now()).at);
  return (path) => {
    const run = runOf(store.root, path);
    const isRootNow = run !== undefined && roots.runs.has(run) && !before.runs.has(run);
    return isRootNow || scorings.has(path) || holds(path, inUse) || needed.has(keyOf.get(path) ?? '');
  };
}

/** Much of what crashes have left is a file. */
function noFolder(error: unknown): undefined {
  if (!hasCode(error, 'ENOTDIR')) throw error;
}

/** What the file system refuses is told, and the rest goes on. */
async function tried<T>(faults: string[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || systemCode(error) === undefined) throw error;
    faults.push(error.message);
    return undefined;
  }
}

interface Findings {
  root: string;
  items: Item[];
  kept: string[];
  faults: string[];
  unsettled: number;
  roots: Roots;
  now: number;
  free: GcReport['free'];
}

function reportOf(
  { apply }: GcRequest,
  { root, items, kept, faults, unsettled, roots, now, free }: Findings,
): GcReport {
  const shown = (path: string) => path.slice(root.length + 1);
  const { at, by } = cutoffOf(roots.roots, now);
  const sums = goingKinds.map((kind) => {
    const all = items.filter((one) => one.kind === kind);
    return [kind, { items: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) }];
  });
  return {
    applied: apply,
    items: items
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, shownItems)
      .map(({ kind, path, bytes, usedAt }) => {
        return { kind, path: shown(path), bytes, usedAt: new Date(usedAt).toISOString() };
      }),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each kind
    total: Object.fromEntries(sums) as GcReport['total'],
    kept: kept.slice(0, shownItems).map(shown),
    unsettled,
    faults: faults.slice(0, shownFaults),
    free,
    needed: { since: new Date(at).toISOString(), run: by?.run ?? null, why: by?.why ?? null },
  };
}

/** Bytes that a user without privileges may still write. */
async function freeBytes(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root);
  return bavail * bsize;
}
