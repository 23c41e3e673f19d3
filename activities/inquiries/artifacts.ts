/** Artifacts as their manifests tell them, a check of their content, and pins. Nothing but pins is written: a check sets nothing aside. */
import * as z from 'zod';
import type { ArtifactDetails, ArtifactSummary, Pin } from '../../domain/inquiries.ts';
import { type ArtifactManifest, stageSchema } from '../../domain/manifest.ts';
import { isStage, paths, type Stage } from '../../domain/names.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { refuse } from '../failure.ts';
import { findFault } from '../store/artifact-store.ts';
import type { StoreDeps } from '../store/deps.ts';
import { pin, readPins, unpin } from '../store/pins.ts';
import { type Answerer, personName, reasonText } from './answerer.ts';

/** What a reply holds at most. */
const mostFiles = 100;
const mostIngredientBytes = 32 * 1024;

const id = z
  .string()
  .regex(/^[0-9a-f]{6,32}$/, 'expected the key of an artifact, or its first 6 or more of 32 hex digits');

export function answerArtifacts({ store }: StoreDeps): Answerer<'artifacts'> {
  return {
    input: z.strictObject({
      stage: stageSchema.nullable(),
      run: z.string().nullable(),
      limit: z.int().min(1).max(200),
    }),
    answer: async ({ stage, run, limit }) => {
      const pins = await readPins(store.root);
      const found: ArtifactSummary[] = [];
      for (const one of stage === null ? await stagesOf(store.root) : [stage]) {
        for (const key of await store.keys(one)) {
          const manifest = await store.peek(one, key);
          if (manifest === undefined || (run !== null && manifest.made_by.run !== run)) continue;
          found.push({ ...summaryOf(manifest), isPinned: pins.has(key) });
        }
      }
      return {
        artifacts: found.toSorted((a, b) => b.madeAt.localeCompare(a.madeAt)).slice(0, limit),
        count: found.length,
        bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
  };
}

export function answerArtifact({ store }: StoreDeps): Answerer<'artifact'> {
  return { input: z.strictObject({ id }), answer: async (input) => ({ artifact: await detailsOf(store, input.id) }) };
}

/** Reads all of it. The reply says what is wrong; the run that needs it sets it aside. */
export function answerArtifactCheck({ store }: StoreDeps): Answerer<'artifact-verify'> {
  return {
    input: z.strictObject({ id }),
    answer: async (input) => {
      const { stage, key, files, bytes, path } = await detailsOf(store, input.id);
      const text = JSON.stringify(await store.peek(stage, key));
      const fault = await findFault(path, text);
      return { stage, key, files, bytes, fault: typeof fault === 'string' ? fault : null };
    },
  };
}

export function answerPin({ store }: StoreDeps): Answerer<'artifact-pin'> {
  return {
    input: z.strictObject({ id, by: personName, reason: reasonText }),
    answer: async ({ id: given, by, reason }) => {
      const { stage, key } = await detailsOf(store, given);
      const made: Pin = { stage, key, by, reason, at: new Date().toISOString() };
      await pin(store.root, made);
      return { pin: made };
    },
  };
}

export function answerUnpin({ store }: StoreDeps): Answerer<'artifact-unpin'> {
  return {
    input: z.strictObject({ id }),
    answer: async (input) => {
      const pinned = [...(await readPins(store.root)).keys()].filter((key) => key.startsWith(input.id));
      const [key] = pinned;
      if (key === undefined || pinned.length > 1) {
        throw refuse(
          'ConfigInvalid',
          `key: expected that of one pinned artifact, got ${pinned.length === 0 ? 'none' : pinned.length} that begin with "${input.id}"`,
        );
      }
      await unpin(store.root, key);
      return { key };
    },
  };
}

async function stagesOf(root: string): Promise<Stage[]> {
  return [...(await namesIn(`${root}/artifacts`))].filter(isStage);
}

async function detailsOf(store: StoreDeps['store'], prefix: string): Promise<ArtifactDetails> {
  const found: { stage: Stage; key: string }[] = [];
  for (const stage of await stagesOf(store.root)) {
    for (const key of await store.keys(stage)) if (key.startsWith(prefix)) found.push({ stage, key });
  }
  const [one] = found;
  if (one === undefined || found.length > 1) {
    throw refuse(
      'ConfigInvalid',
      `key: expected that of one artifact, got ${found.length === 0 ? 'none' : found.length} that begin with "${prefix}"`,
    );
  }
  const manifest = await store.peek(one.stage, one.key);
  if (manifest === undefined) {
    throw refuse('DataInvalid', `artifact "${one.stage}/${one.key}": its manifest cannot be read; no run will use it`);
  }
  const { ingredients, files, counts, cost, made_by } = manifest;
  const pins = await readPins(store.root);
  return {
    ...summaryOf(manifest),
    isPinned: pins.has(one.key),
    path: paths.artifact(store.root, one.stage, one.key),
    attempts: made_by.attempts,
    counts,
    cost: { ...cost },
    ingredients: Buffer.byteLength(JSON.stringify(ingredients)) > mostIngredientBytes ? null : ingredients,
    largest: files
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, mostFiles)
      .map(({ path, bytes }) => ({ path: path.slice(0, 300), bytes })),
    pin: pins.get(one.key) ?? null,
  };
}

function summaryOf({ stage, key, files, made_by }: ArtifactManifest): Omit<ArtifactSummary, 'isPinned'> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { stage, key, run: made_by.run, madeAt: made_by.finished_at, files: files.length, bytes };
}
