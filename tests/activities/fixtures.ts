/** Fixtures of the activity tests: a plan, a small dataset on disk, pictures that are really PNGs. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { Pair } from '../../domain/manifest.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { checkRecipe, type Recipe, type SftSettings, type SynthesisSettings } from '../../domain/recipe.ts';

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'critic-test-'));
}

/** A recipe with SFT and a teacher, as most are. */
export type WholeRecipe = Omit<Recipe, 'sft' | 'synthesis'> & { sft: SftSettings; synthesis: SynthesisSettings };
export type WholePlan = Omit<RunPlan, 'recipe'> & { recipe: WholeRecipe };

export function wholeRecipe({ sft, synthesis, ...rest }: Recipe): WholeRecipe {
  if (typeof sft === 'string' || typeof synthesis === 'string') throw new Error('expected SFT and a teacher');
  return { ...rest, sft, synthesis };
}

export function makePlan(dataset: string, synthesis: Partial<SynthesisSettings> = {}, run = 'test-1'): WholePlan {
  const checked = checkRecipe({
    name: 'test',
    seed: 1,
    dataset,
    base_model: '/models/tiny',
    prompt: synthesis.prompt === 'teacher-edited-v1' ? 'compact-edited-v1' : 'compact-v1',
    synthesis: {
      model: 'gpt-4o-2024-08-06',
      requests_per_minute: 60_000,
      tokens_per_minute: 100_000_000,
      budget_usd: 100,
      prices: { input: 2.5, cached_input: 1.25, output: 10 },
      ...synthesis,
    },
    sft: {
      batch_size: 4,
      learning_rate: 1e-4,
      epochs: 1,
      cutoff_len: 4096,
      save_steps: 10,
      resources: { time_limit_minutes: 10 },
    },
    grpo: {
      steps: 1,
      prompts_per_step: 1,
      generations: 2,
      learning_rate: 1e-5,
      max_completion_length: 64,
      save_steps: 1,
      resources: { time_limit_minutes: 10 },
    },
    predict: { batch_size: 4, max_new_tokens: 64, resources: { time_limit_minutes: 10 } },
    gate: { champion: 'test', min_main_score: 0 },
  });
  if ('faults' in checked) throw new Error(checked.faults.join('\n'));
  return { schema: 1, run, recipe: wholeRecipe(checked.recipe) };
}

/** Ten steps of SFT. */
export function sftOrder(run: string): JobOrder {
  return {
    run,
    stage: 'sft',
    key: 'k',
    ingredients: {},
    model: '/models/tiny',
    inputs: {},
    params: {},
    seed: 1,
    threads: 1,
    planned: { steps: 10, rows: null },
    engine: { name: 'llamafactory', versions: {} },
    resources: { nodes: 1, gpus_per_node: 1, cpus: 1, time_limit_minutes: 5, exclude_nodes: [] },
    watch: { stall_factor: 10, stall_seconds: 600, first_row_seconds: 3600, checkpoint_seconds: 180 },
    trainer: '/store/code/abc',
  };
}

/** `train` pairs of the train split, one pair each of dev and test, every pair with a source of its own. */
export function makePairs(train: number): Pair[] {
  const splits = [...Array.from({ length: train }, () => 'train' as const), 'dev' as const, 'test' as const];
  return splits.map((split, index) => ({
    id: `p${index}`,
    source_id: `s${index}`,
    split,
    instruction: `make the circle number ${index} blue`,
    source_image: `images/src/s${index}.png`,
    edited_image: `images/edited/p${index}.png`,
    mos: { overall: 1 + (index % 40) / 10, alignment: 3, fidelity: 2.5, quality: 4 },
    method: 'test',
  }));
}

/** Writes `pairs.jsonl` and every image of `pairs` (typed as unknown, for rows that are no pairs). */
export async function writeDataset(pairs: Pair[], rows: unknown[] = pairs): Promise<string> {
  const folder = await temporaryFolder();
  for (const pair of pairs) {
    for (const path of [pair.source_image, pair.edited_image]) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), png(8, 8));
    }
  }
  await writeFile(join(folder, 'pairs.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return folder;
}

/** A grey RGB picture. */
export function png(width: number, height: number): Buffer {
  const pixels = Buffer.alloc(height * (1 + width * 3), 0x80);
  for (let y = 0; y < height; y += 1) pixels[y * (1 + width * 3)] = 0;
  return pngOf(width, height, deflateSync(pixels));
}

/** A whole RGB PNG of that size around whatever is said to be its deflated pixels. */
export function pngOf(width: number, height: number, data: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** Runs an activity as Temporal would, collecting its heartbeats. */
export function activityEnvironment(logger = new DefaultLogger('ERROR')): {
  env: MockActivityEnvironment;
  heartbeats: unknown[];
} {
  const env = new MockActivityEnvironment({}, { logger });
  const heartbeats: unknown[] = [];
  env.on('heartbeat', (details: unknown) => heartbeats.push(details));
  return { env, heartbeats };
}

/** Runs `work` inside the environment's activity context. */
export async function inActivity<T>(env: MockActivityEnvironment, work: () => Promise<T>): Promise<T> {
  return env.run<[], T, () => Promise<T>>(work);
}

/** What a promise was rejected with; fails if it was not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

/** Pauses the activity of this environment, as an operator does: it arrives as a cancellation that is none. */
export function pause({ env }: ReturnType<typeof activityEnvironment>): void {
  env.cancel('CANCELLED', new ActivityCancellationDetails({ paused: true }));
}
