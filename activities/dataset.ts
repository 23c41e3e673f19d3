/**
 * Dataset: reads the operator's folder (`pairs.jsonl` and images below `images/`), reports all its faults at once, and
 * copies it into the store by content. Images are copied, never linked: jobs run as another user and must read them,
 * and what a run trained on must not change when somebody edits a file in place.
 *
 * kill -9 at any point before the store's rename leaves a `try-…` folder below `partial/`, removed after a day; after it, the artifact stands. Idempotent.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join, posix, sep } from 'node:path';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { describeFaults } from '../domain/errors.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import type { RunPlan } from '../domain/plan.ts';
import type { StageProgress } from '../domain/progress.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { forEachConcurrently } from './concurrently.ts';
import { at, type PairLine, readPairs, splits } from './dataset-rows.ts';
import { hasCode } from './durable-file.ts';
import { translated } from './failure.ts';
import { readImage } from './image-header.ts';
import { tryFolder } from './try-folder.ts';

const pairsName = 'pairs.jsonl';
const maxPairsBytes = 256 * 1024 * 1024;
const maxImageBytes = 64 * 1024 * 1024;
const shownFaults = 20;
/** Images are read whole to be hashed and checked: at most this many are in memory. */
const concurrency = 4;

/** Content of a dataset: relative path → sha256. */
type Contents = Map<string, string>;

export function createDatasetActivities(deps: { store: ArtifactStore }) {
  const { store } = deps;
  return {
    /** Checks the recipe's dataset and publishes it. Throws a non-retryable `DataInvalid` that lists its faults. */
    async checkDataset({ plan }: { plan: RunPlan }): Promise<ArtifactRef> {
      const started = Date.now();
      const folder = plan.recipe.dataset;
      return translated(`read dataset "${folder}"`, Context.current().cancellationSignal, async () => {
        const text = await readPairsFile(folder);
        const { pairs, faults } = readPairs(text);
        const images = await readImages(folder, pairs);
        refuseFaults(folder, [...faults, ...images.faults]);
        const contents: Contents = new Map([[pairsName, sha256(text)], ...images.sums]);
        const ingredients = { content: listingHash(contents) };
        const found = await store.find('dataset', ingredients);
        if (found.artifact !== undefined) return found.artifact;
        const from = await copyContents(folder, contents, await tryFolder(store, 'dataset', found.key));
        return store.publish({
          stage: 'dataset',
          key: found.key,
          ingredients,
          from,
          counts: counts(pairs, images.sums.size),
          cost: { seconds: (Date.now() - started) / 1000 },
          run: plan.run,
          attempts: [],
        });
      });
    },
  };
}

/** Pairs of a published dataset. They were checked before they were published; a fault now means the store was touched. */
export async function readDatasetPairs(dataset: ArtifactRef): Promise<PairLine['pair'][]> {
  const { pairs, faults } = readPairs(await readFile(join(dataset.path, pairsName), 'utf8'));
  if (faults.length > 0) throw new Error(`dataset artifact ${dataset.key} is damaged: ${faults[0] ?? ''}`);
  return pairs.map(({ pair }) => pair);
}

async function readPairsFile(folder: string): Promise<string> {
  const path = join(folder, pairsName);
  try {
    const { size } = await stat(path);
    if (size > maxPairsBytes) throw dataInvalid(`${path}: expected at most ${maxPairsBytes} bytes, got ${size}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    throw dataInvalid(`recipe.dataset: expected a folder with ${pairsName}, got "${folder}", which has none`);
  }
}

/** Reads every image once: its sha256, or its fault with the first line and field that name it. */
async function readImages(folder: string, pairs: PairLine[]): Promise<{ sums: Contents; faults: string[] }> {
  const root = await realpath(folder);
  const named = new Map<string, { order: number; where: string }>();
  for (const { line, pair } of pairs) {
    for (const field of ['source_image', 'edited_image'] as const) {
      if (!named.has(pair[field])) named.set(pair[field], { order: named.size, where: at(line, field) });
    }
  }
  const sums: Contents = new Map();
  const faults: { order: number; sentence: string }[] = [];
  const { heartbeat, cancellationSignal } = Context.current();
  let done = 0;
  await forEachConcurrently(named, concurrency, async ([path, { order, where }]) => {
    cancellationSignal.throwIfAborted();
    const read = await readOneImage(root, path);
    if ('fault' in read) faults.push({ order, sentence: `${where}${read.fault}` });
    else sums.set(path, read.sum);
    done += 1;
    heartbeat({
      state: 'checking',
      done,
      total: named.size,
      unit: 'files',
      failed: faults.length,
    } satisfies StageProgress);
  });
  return { sums, faults: faults.toSorted((a, b) => a.order - b.order).map(({ sentence }) => sentence) };
}

async function readOneImage(root: string, path: string): Promise<{ sum: string } | { fault: string }> {
  const got = `got "${path}"`;
  if (!path.startsWith('images/') || path.includes('\\') || path.includes('\0') || posix.normalize(path) !== path) {
    return { fault: `expected a path below "images/" without "..", ${got}` };
  }
  try {
    const real = await realpath(join(root, path));
    if (!real.startsWith(root + sep))
      return { fault: `expected a file of the dataset, ${got}, which leads to "${real}"` };
    const state = await stat(real);
    if (!state.isFile()) return { fault: `expected a file, ${got}, which is none` };
    if (state.size > maxImageBytes)
      return { fault: `expected at most ${maxImageBytes} bytes, ${got} of ${state.size}` };
    const bytes = await readFile(real);
    const facts = readImage(bytes);
    return 'fault' in facts ? { fault: `expected an image, ${got}, ${facts.fault}` } : { sum: sha256(bytes) };
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR'))
      return { fault: `expected a file, ${got}, which does not exist` };
    if (hasCode(error, 'EACCES')) return { fault: `expected a readable file, ${got}, which may not be read` };
    throw error;
  }
}

function refuseFaults(folder: string, faults: string[]): void {
  if (faults.length === 0) return;
  throw dataInvalid(describeFaults(`dataset "${folder}" cannot be used`, faults, shownFaults));
}

/** Copies everything into the folder `to` and returns it; a file that changed since it was checked is refused, to be checked again. */
async function copyContents(folder: string, contents: Contents, to: string): Promise<string> {
  const { heartbeat, cancellationSignal } = Context.current();
  let done = 0;
  await forEachConcurrently(contents, concurrency, async ([path, sum]) => {
    cancellationSignal.throwIfAborted();
    const bytes = await readFile(join(folder, path));
    if (sha256(bytes) !== sum) {
      throw ApplicationFailure.retryable(`dataset "${folder}" changed while it was read: ${path}`, 'DataChanged');
    }
    await mkdir(dirname(join(to, path)), { recursive: true });
    await writeFile(join(to, path), bytes);
    done += 1;
    heartbeat({ state: 'copying', done, total: contents.size, unit: 'files' } satisfies StageProgress);
  });
  return to;
}

function counts(pairs: PairLine[], images: number): Record<string, number> {
  const ofSplit = splits.map((split) => [split, pairs.filter(({ pair }) => pair.split === split).length] as const);
  const sources = new Set(pairs.map(({ pair }) => pair.source_id)).size;
  return { pairs: pairs.length, ...Object.fromEntries(ofSplit), sources, images };
}

function listingHash(contents: Contents): string {
  const lines = [...contents].map(([path, sum]) => `${path}\0${sum}\n`).toSorted();
  return sha256(lines.join(''));
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function dataInvalid(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'DataInvalid');
}
