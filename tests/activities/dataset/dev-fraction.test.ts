/** `dataset.dev_fraction`: a dev split out of `train`, and who sees what afterwards. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { createDatasetActivities, readDatasetPairs } from '../../../activities/dataset/dataset.ts';
import { createRecordActivities } from '../../../activities/records/records.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Pair } from '../../../domain/manifest.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import type { DatasetSettings } from '../../../domain/recipe.ts';
import {
  activityEnvironment,
  inActivity,
  makePairs,
  makePlan,
  rejection,
  temporaryFolder,
  writeDataset,
} from '../fixtures.ts';

let store: ArtifactStore;

beforeEach(async () => {
  store = new ArtifactStore(await temporaryFolder());
});

/** Ten sources of two train rows each, and one row of test. */
function pairsWithoutDev(): Pair[] {
  return makePairs(20)
    .filter(({ split }) => split !== 'dev')
    .map((pair, index) => (pair.split === 'train' ? { ...pair, source_id: `s${Math.floor(index / 2)}` } : pair));
}

function planOf(folder: string, settings: Partial<DatasetSettings>, prompts = 1, seed = 1): RunPlan {
  const plan = makePlan(folder);
  const { recipe } = plan;
  const grpo = { ...recipe.grpo, prompts_per_step: prompts };
  return { ...plan, recipe: { ...recipe, seed, grpo, dataset: { ...recipe.dataset, ...settings } } };
}

async function check(plan: RunPlan) {
  const activities = createDatasetActivities({ store });
  return inActivity(activityEnvironment().env, () => activities.checkDataset({ plan }));
}

async function messageOf(plan: RunPlan): Promise<string> {
  const error = await rejection(check(plan));
  expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
  return error instanceof Error ? error.message : '';
}

it('carves dev by source, leaves test alone, and the prompts stage writes it', async () => {
  const folder = await writeDataset(pairsWithoutDev());
  const plan = planOf(folder, { dev_fraction: 0.3 });
  const dataset = await check(plan);
  expect(dataset.counts).toMatchObject({ pairs: 21, train: 14, dev: 6, test: 1, sources: 11, shared_sources: 0 });
  const pairs = await readDatasetPairs(dataset);
  const inSplit = (split: string) => pairs.filter((pair) => pair.split === split);
  const dev = new Set(inSplit('dev').map((pair) => pair.source_id));
  expect(dev.size).toBe(3);
  expect(inSplit('train').some((pair) => dev.has(pair.source_id))).toBe(false);
  expect(inSplit('test')).toEqual(pairsWithoutDev().filter((pair) => pair.split === 'test'));

  const records = createRecordActivities({ store });
  const prompts = await inActivity(activityEnvironment().env, () => records.writePrompts({ plan, dataset }));
  expect(prompts.counts).toEqual({ train: 14, dev: 6, test: 1 });
  const lines = (await readFile(join(prompts.path, 'dev.jsonl'), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).id)).toEqual(inSplit('dev').map(({ id }) => id));
});

it('is in the key only where it is given, and the seed is not', async () => {
  const folder = await writeDataset(pairsWithoutDev());
  const [without, carved] = [await check(planOf(folder, {})), await check(planOf(folder, { dev_fraction: 0.3 }))];
  expect(carved.key).not.toBe(without.key);
  expect(await readFile(join(without.path, 'pairs.jsonl'))).toEqual(await readFile(join(folder, 'pairs.jsonl')));
  expect(await check(planOf(folder, { dev_fraction: 0.3 }, 1, 99))).toMatchObject({ key: carved.key, reused: true });
});

it('leaves a source of train and test in train where shared sources are reported', async () => {
  const pairs = pairsWithoutDev().map((pair) => (pair.split === 'test' ? { ...pair, source_id: 's0' } : pair));
  const folder = await writeDataset(pairs);
  const dataset = await check(planOf(folder, { dev_fraction: 0.5, shared_sources: 'report' }));
  // Half of nine, rounded: five sources of two rows.
  expect(dataset.counts).toMatchObject({ train: 10, dev: 10, test: 1, shared_sources: 1 });
  const rows = await readDatasetPairs(dataset);
  expect(rows.filter((pair) => pair.source_id === 's0').map(({ split }) => split)).toEqual(['train', 'train', 'test']);
});

it('is refused in one sentence, and nothing is written', async () => {
  const own = await messageOf(planOf(await writeDataset(makePairs(4)), { dev_fraction: 0.5 }));
  expect(own).toContain(
    'recipe.dataset.dev_fraction: expected no such key for a dataset that has a dev split of its own, of 1 rows, got 0.5',
  );
  const folder = await writeDataset(pairsWithoutDev());
  expect(await messageOf(planOf(folder, { dev_fraction: 0.01 }))).toContain('1 fault');
  const few = await messageOf(planOf(folder, { dev_fraction: 0.5 }, 11));
  expect(few).toContain('recipe.grpo.prompts_per_step: expected at most 10, the rows of split "train", got 11');
  expect(await store.keys('dataset')).toEqual([]);
});

it('is asked for where a recipe validates and the dataset has no dev split: nothing is paid for before', async () => {
  const plan = planOf(await writeDataset(pairsWithoutDev()), {});
  const { recipe } = plan;
  const validating = { ...plan, recipe: { ...recipe, grpo: { ...recipe.grpo, validate_steps: 10 } } };
  expect(await messageOf(validating)).toContain(
    'recipe.grpo.validate_steps: expected 0 where the dataset has no split "dev" (dataset.dev_fraction carves one), got 10',
  );
  const carving = { ...recipe, dataset: { ...recipe.dataset, dev_fraction: 0.3 } };
  const carved = { ...validating, recipe: { ...carving, grpo: validating.recipe.grpo } };
  expect((await check(carved)).counts).toMatchObject({ dev: 6 });
});
