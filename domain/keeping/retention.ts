/**
 * Retention: what of a store somebody still needs, and what goes first. Pure: who runs and what is there are arguments.
 *
 * One time decides for most of it, the cutoff. Each run finds or makes all that it needs after it has begun, and an artifact that is found is marked as
 * used. So what was last used before the oldest run began that still needs something is needed by no run. `roots` are these runs. Champions and pins
 * are needed at any age. What is needed needs all that it was made from.
 */
import type { Stage } from '../names.ts';

const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
/** Nothing that was used within this time goes, nor is anything younger a leftover of a crash. A run looks at its dataset before it writes its plan. */
export const graceMs = dayMs;
/** How long after its end a run without a verdict may be resumed with all that it left, days. */
export const usualResumableDays = 7;

/** What is asked of a collection. */
export interface GcRequest {
  apply: boolean;
  /** Artifacts go, the longest unused first, until so many bytes are free on the store's disk. null: no artifact goes. */
  freeBytes: number | null;
  /** How long after its end a run may be resumed. */
  resumableDays: number;
  /** How long scores and evaluations stay after they were written, days, one at least. Absent: for ever. */
  scoringDays?: number;
}

export const goingKinds = ['leftover', 'scratch', 'checkpoint', 'scoring', 'artifact'] as const;
export type GoingKind = (typeof goingKinds)[number];

/** What goes, or would go. */
export interface GcReport {
  applied: boolean;
  /** The largest, at most 200. Paths below the store. */
  items: { kind: GoingKind; path: string; bytes: number; usedAt: string }[];
  /** Of all. */
  total: Record<GoingKind, { items: number; bytes: number }>;
  /** Used meanwhile, so it stays. */
  kept: string[];
  /** Things that a gc which is at work, or was killed, has in the trash: the next gc settles them once they are ten minutes old. */
  unsettled: number;
  /** What could not be removed, one sentence each, at most 20. */
  faults: string[];
  free: { before: number; after: number; wanted: number | null };
  /** What was used since then is needed. `run`: the oldest run that needs it, and why; null: only the last day is needed. */
  needed: { since: string; run: string | null; why: string | null };
}

/** A run that still needs something. */
export interface RootRun {
  run: string;
  /** When it began, or the oldest of those that it resumes did, ms. */
  since: number;
  why: string;
}

export interface KnownArtifact {
  stage: Stage;
  key: string;
  bytes: number;
  /** ms. */
  usedAt: number;
  ingredients: Record<string, unknown>;
}

/** What was used since `at` (ms) is needed. `by`: the run for which it is not later. */
export function cutoffOf(roots: readonly RootRun[], now: number): { at: number; by?: RootRun } {
  const [oldest] = roots.toSorted((a, b) => a.since - b.since);
  const own = now - graceMs;
  return oldest === undefined || oldest.since - graceMs >= own
    ? { at: own }
    : { at: oldest.since - graceMs, by: oldest };
}

/** Keys of the artifacts that are needed: those of `keys`, those used since the cutoff, and all that they were made from. */
export function neededKeys(
  artifacts: readonly KnownArtifact[],
  keys: ReadonlySet<string>,
  cutoff: number,
): ReadonlySet<string> {
  const known = new Map(artifacts.map((artifact) => [artifact.key, artifact]));
  const needed = new Set<string>();
  const queue = artifacts.filter(({ key, usedAt }) => keys.has(key) || usedAt >= cutoff).map(({ key }) => key);
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    if (needed.has(key)) continue;
    needed.add(key);
    queue.push(...keysIn(known.get(key)?.ingredients).filter((one) => known.has(one)));
  }
  return needed;
}

/** All texts in ingredients that have the form of a key. */
function keysIn(value: unknown): string[] {
  if (typeof value === 'string') return /^[0-9a-f]{32}$/.test(value) ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(keysIn) : [];
}

/** Those that nobody needs, the longest unused first, until together they have `bytes`. */
export function oldestFirst(
  artifacts: readonly KnownArtifact[],
  needed: ReadonlySet<string>,
  bytes: number,
): KnownArtifact[] {
  const chosen: KnownArtifact[] = [];
  let sum = 0;
  for (const artifact of artifacts.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (sum >= bytes) break;
    if (needed.has(artifact.key)) continue;
    chosen.push(artifact);
    sum += artifact.bytes;
  }
  return chosen;
}

/** A complete checkpoint of one attempt. */
export interface KnownCheckpoint {
  path: string;
  attempt: number;
  step: number;
  /** On the dev split, where the engine measures it; higher is better. */
  score?: number;
}

/**
 * Checkpoints of one stage of a run that somebody needs: the last one of the newest attempt that has any, the best by the dev split across attempts, and
 * those in use.
 */
export function keptCheckpoints(all: readonly KnownCheckpoint[], inUse: ReadonlySet<string>): ReadonlySet<string> {
  const last = all.toSorted((a, b) => a.attempt - b.attempt || a.step - b.step).at(-1);
  const best = all
    .filter(({ score }) => score !== undefined)
    .toSorted((a, b) => (a.score ?? 0) - (b.score ?? 0) || a.attempt - b.attempt)
    .at(-1);
  return new Set(
    [last?.path, best?.path, ...all.map(({ path }) => path).filter((path) => inUse.has(path))].filter(
      (path) => path !== undefined,
    ),
  );
}
