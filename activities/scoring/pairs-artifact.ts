/**
 * The pairs of a scoring as an artifact: `pairs.jsonl` (every row, also those that cannot be shown), `test.jsonl` (what the job reads), `images/` by content and
 * `images.json` with their sizes. Pictures are copied: what is scored must not change while the job waits.
 *
 * kill -9 before the store's rename leaves a try folder that nobody reads. After it the artifact is there. A picture that changes between two tries changes the key.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { cut } from '../../domain/errors.ts';
import { criticPrompt, shownImages } from '../../domain/critique/prompt.ts';
import type { StageProgress } from '../../domain/jobs/progress.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { opinionFields } from '../../domain/scoring/mapping.ts';
import { scoringStages } from '../../domain/scoring/scoring.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularFile, readRegularText } from '../../files/regular-file.ts';
import { forEachConcurrently } from '../bounded-concurrency.ts';
import { maxImageBytes } from '../dataset/image-files.ts';
import { findDecodingFault, readImage } from '../dataset/image.ts';
import { type ImageSizes, sha256 } from '../dataset/inspection.ts';
import { maxTextBytes } from '../dataset/source.ts';
import { postconditionFailed } from '../evaluation/predictions.ts';
import { refuse } from '../failure.ts';
import { readPixelLimits, RecordLengths } from '../records/record-lengths.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { tryFolder } from '../store/try-folder.ts';
import type { NamedPair, NamedRow } from './named-pair.ts';
import { whyUnreachable } from './reachable.ts';

/** Pictures read at once. */
const concurrency = 4;
const layout = 1;
const faultsShown = 5;

const opinion = z.number().min(1).max(5);
const keptSchema = z.object({
  /** The job's name of the pair: its place among the rows, from 1. */
  n: z.int().min(1),
  id: z.string(),
  where: z.string(),
  /** As the person named them; absent where they cannot be read. */
  source: z.string().optional(),
  edited: z.string().optional(),
  instruction: z.string().optional(),
  source_image: z.string().optional(),
  edited_image: z.string().optional(),
  opinions: z.partialRecord(z.enum(opinionFields), opinion).default({}),
  method: z.string().optional(),
  source_id: z.string().optional(),
  /** Why no critic can be asked. */
  fault: z.string().optional(),
});
export type KeptPair = z.output<typeof keptSchema>;

/** What a picture is: its path in the artifact, or why it cannot be shown. */
type Picture = { path: string; size: readonly [number, number] } | { fault: string };

export interface PairsInput {
  store: ArtifactStore;
  run: string;
  recipe: Recipe;
  rows: readonly NamedRow[];
  signal: AbortSignal;
  report: (progress: StageProgress) => void;
}

/** Publishes the rows. Refuses (`DataInvalid`) where not one pair can be shown to a critic, with the first faults. */
export async function publishPairs(input: PairsInput): Promise<ArtifactRef> {
  // The key is known when the pictures are: they wait in a folder that no key has.
  const from = await tryFolder(input.store, scoringStages.pairs, 'gathering');
  try {
    return await publishFrom(input, from);
  } catch (error) {
    // A full disk must not get fuller with each try.
    await rm(from, { recursive: true, force: true });
    throw error;
  }
}

async function publishFrom(input: PairsInput, from: string): Promise<ArtifactRef> {
  const { store, run, recipe, rows } = input;
  const stage = scoringStages.pairs;
  const pictures = await copyPictures(input, from);
  const sizes: Record<string, readonly [number, number]> = {};
  for (const picture of pictures.values()) if ('path' in picture) sizes[picture.path] = picture.size;
  const tooLong = await lengthCheck(recipe, sizes);
  const kept = rows.map((row, index) => keep(row, index + 1, pictures, tooLong));
  const asked = kept.filter(({ fault }) => fault === undefined);
  if (asked.length === 0) throw refuse('DataInvalid', noneLeft(kept));
  const text = lines(kept);
  const prompts = lines(asked.map((pair) => promptRow(recipe, pair)));
  await writeFile(join(from, 'pairs.jsonl'), text);
  await writeFile(join(from, 'test.jsonl'), prompts);
  await writeFile(join(from, 'images.json'), `${JSON.stringify(sizes)}\n`);
  const ingredients = { pairs: sha256(text), prompts: sha256(prompts), layout };
  const { key, artifact } = await store.find(stage, ingredients);
  if (artifact !== undefined) {
    await rm(from, { recursive: true });
    return artifact;
  }
  const counts = { pairs: kept.length, test: asked.length, refused: kept.length - asked.length };
  input.signal.throwIfAborted();
  return store.publish({ stage, key, ingredients, from, counts, cost: {}, run, attempts: [] });
}

/** All rows, in their order. */
export async function readKeptPairs(artifact: ArtifactRef): Promise<KeptPair[]> {
  const path = join(artifact.path, 'pairs.jsonl');
  const content = await readRegularText(path, maxTextBytes, { noFollow: true });
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const read = keptSchema.safeParse(parseJson(line));
      if (read.success) return read.data;
      throw postconditionFailed(`${path}: expected pairs, got ${cut(line, 80)}`);
    });
}

async function copyPictures({ rows, signal, report }: PairsInput, to: string): Promise<Map<string, Picture>> {
  const wanted = new Set(rows.flatMap((row) => ('pair' in row ? [row.pair.source, row.pair.edited] : [])));
  const found = new Map<string, Picture>();
  await mkdir(join(to, 'images'));
  await forEachConcurrently(wanted, concurrency, async (path) => {
    signal.throwIfAborted();
    found.set(path, await copyPicture(path, to));
    report({ state: 'copying', done: found.size, total: wanted.size, unit: 'files' });
  });
  return found;
}

async function copyPicture(path: string, to: string): Promise<Picture> {
  try {
    const bytes = await readRegularFile(path, maxImageBytes);
    const facts = await readImage(bytes);
    if ('fault' in facts) return { fault: facts.fault };
    const fault = await findDecodingFault(bytes, facts);
    if (fault !== undefined) return { fault };
    const name = `images/${sha256(bytes)}.${facts.kind === 'jpeg' ? 'jpg' : facts.kind}`;
    await writeFile(join(to, name), bytes);
    return { path: name, size: [facts.width, facts.height] };
  } catch (error) {
    const fault = whyUnreachable(error);
    if (fault !== undefined) return { fault };
    throw error;
  }
}

function keep(
  row: NamedRow,
  n: number,
  pictures: ReadonlyMap<string, Picture>,
  tooLong: (pair: NamedPair, images: string[]) => string | undefined,
): KeptPair {
  const { where } = row;
  if (!('pair' in row)) return { n, id: row.id, where, opinions: {}, ...row.said, fault: row.fault };
  const { pair } = row;
  const base: KeptPair = { n, where, ...pair };
  const [source, edited] = [pictures.get(pair.source), pictures.get(pair.edited)];
  const faults = [faultOf('source', pair.source, source), faultOf('edited', pair.edited, edited)].flatMap(
    (fault) => fault ?? [],
  );
  if (source === undefined || edited === undefined || 'fault' in source || 'fault' in edited)
    return { ...base, fault: faults.join('; ') };
  const long = tooLong(pair, [source.path, edited.path]);
  if (long !== undefined) return { ...base, fault: long };
  return { ...base, source_image: source.path, edited_image: edited.path };
}

function faultOf(field: string, path: string, picture: Picture | undefined): string | undefined {
  if (picture === undefined || !('fault' in picture)) return undefined;
  return `${field}: expected a PNG, JPEG or WebP picture, got "${cut(path)}", ${picture.fault}`;
}

/** Where the recipe bounds prompts, an engine refuses longer ones when it is at work. */
async function lengthCheck(recipe: Recipe, sizes: ImageSizes) {
  const { max_prompt_length: most } = recipe.predict;
  const lengths = new RecordLengths(sizes, await readPixelLimits(recipe));
  return ({ instruction }: NamedPair, [source_image = '', edited_image = '']: string[]): string | undefined => {
    if (most === undefined) return undefined;
    const content = criticPrompt(recipe.prompt, 'reasoning', instruction);
    const images = shownImages(recipe.prompt, { source_image, edited_image });
    const tokens = lengths.estimate({ messages: [{ content }], images });
    if (tokens <= most) return undefined;
    return `expected a prompt of at most ${most} tokens with its pictures (predict.max_prompt_length), got about ${tokens}`;
  };
}

function promptRow(recipe: Recipe, { n, instruction = '', source_image = '', edited_image = '' }: KeptPair) {
  const images = shownImages(recipe.prompt, { source_image, edited_image });
  return { id: String(n), prompt: criticPrompt(recipe.prompt, 'reasoning', instruction), images, mos: null };
}

function noneLeft(kept: readonly KeptPair[]): string {
  const first = kept.slice(0, faultsShown).map(({ where, fault }) => `\n  ${where}: ${fault ?? ''}`);
  const more = kept.length > faultsShown ? `\n  and ${kept.length - faultsShown} more` : '';
  return `pairs: expected at least one that a critic can be asked about, got none of ${kept.length}:${first.join('')}${more}`;
}

function lines(values: readonly object[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
