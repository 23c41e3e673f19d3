/** Fixtures of evaluation, gate and report: a store with small made-up artifacts of every stage. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Prediction } from '../../../activities/evaluation/predictions.ts';
import type { ArtifactRef, Cost, Pair } from '../../../domain/manifest.ts';
import type { Stage } from '../../../domain/names.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';
import { makePlan, temporaryFolder, writeDataset } from '../fixtures.ts';

export async function makeStore(): Promise<ArtifactStore> {
  return new ArtifactStore(await temporaryFolder());
}

/** A plan whose gate asks for little. */
export function evaluationPlan(run = 'test-1', gate: Partial<RunPlan['recipe']['gate']> = {}): RunPlan {
  const plan = makePlan('/data/test', {}, run);
  return { ...plan, recipe: { ...plan.recipe, gate: { ...plan.recipe.gate, min_main_score: 0.2, ...gate } } };
}

/** `sources` sources with `edits` pairs each in train and test, one in dev; MOS spread over 1 to 5. */
export function evaluationPairs(sources = 12, edits = 3): Pair[] {
  const random = seededRandom(5);
  return (['train', 'dev', 'test'] as const).flatMap((split) =>
    Array.from({ length: split === 'dev' ? 1 : sources * edits }, (_, index): Pair => {
      const source = `${split}-s${Math.floor(index / edits)}`;
      const id = `${split}-p${index}`;
      const overall = Math.round(100 + 400 * random()) / 100;
      return {
        id,
        source_id: source,
        split,
        instruction: `make circle ${index} <b>blue</b>`,
        source_image: `images/src/${source}.png`,
        edited_image: `images/edited/${id}.png`,
        mos: { overall, alignment: 3, fidelity: 3, quality: 3 },
        method: 'test',
      };
    }),
  );
}

/** Answers that agree with people up to `noise` points; every `unreadableEvery`-th cannot be read. */
export function predictionsOf(
  pairs: readonly Pair[],
  noise: number,
  { seed = 1, unreadableEvery = 0, words = 'The circle is blue and nothing else changed.' } = {},
): Prediction[] {
  const random = seededRandom(seed);
  const test = pairs.filter((pair) => pair.split === 'test');
  return test.map((pair, index) => {
    const answer = (spread: number) => {
      const score = Math.min(5, Math.max(1, pair.mos.overall + spread * (random() + random() - 1)));
      const text = `<think>${words} ${index}</think><answer>${score.toFixed(2)}</answer>`;
      return { text, tokens: 20 + (index % 7) };
    };
    const greedy = answer(noise);
    const sampled = answer(noise * 1.2);
    const unreadable = unreadableEvery > 0 && index % unreadableEvery === 0;
    return {
      id: pair.id,
      mos: pair.mos.overall,
      greedy: unreadable ? { text: 'no idea', tokens: 2 } : greedy,
      sampled,
    };
  });
}

interface Contents {
  files?: Record<string, string>;
  /** Folder whose content is copied in. */
  folder?: string;
  cost?: Cost;
  counts?: Record<string, number>;
  ingredients?: Record<string, unknown>;
  run?: string;
}

/** Publishes an artifact with these files; different content has a different key. */
export async function publishArtifact(store: ArtifactStore, stage: Stage, contents: Contents): Promise<ArtifactRef> {
  const { files = {}, folder, cost = {}, counts = {}, run = 'test-1' } = contents;
  const ingredients = contents.ingredients ?? { files, folder: folder ?? null };
  const { key, artifact } = await store.find(stage, ingredients);
  if (artifact !== undefined) return artifact;
  const from = join(await store.partial(stage, key), `try-${Math.random()}`);
  await mkdir(from, { recursive: true });
  if (folder !== undefined) await cp(folder, from, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(from, name)), { recursive: true });
    await writeFile(join(from, name), text);
  }
  return store.publish({ stage, key, ingredients, from, counts, cost, run, attempts: [] });
}

export function publishPredictions(
  store: ArtifactStore,
  model: 'base' | 'sft' | 'grpo',
  rows: readonly unknown[],
): Promise<ArtifactRef> {
  return publishArtifact(store, `predict-${model}`, { files: { 'predictions.jsonl': jsonLines(rows) } });
}

/** A dataset, without its pictures unless they are wanted: each file of an artifact is synced, and that takes time. */
export async function publishDataset(store: ArtifactStore, pairs: Pair[], withPictures = false): Promise<ArtifactRef> {
  const content = withPictures ? { folder: await writeDataset(pairs) } : { files: { 'pairs.jsonl': jsonLines(pairs) } };
  return publishArtifact(store, 'dataset', { ...content, ingredients: { pairs }, counts: { pairs: pairs.length } });
}

/** A GRPO artifact whose model is two small files. */
export function publishGrpo(
  store: ArtifactStore,
  name: string,
  metrics: readonly unknown[] = [],
): Promise<ArtifactRef> {
  return publishArtifact(store, 'grpo', {
    files: { 'metrics.jsonl': jsonLines(metrics), 'model/config.json': '{}', 'model/README.md': name },
    cost: { gpu_hours: 0.5, seconds: 1800 },
    ingredients: { name, trainer: '/store/code/0123abcd' },
  });
}

export function jsonLines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
