/** The disk that trainings need, against what statfs says is free. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { checkDisk, estimateDisk, trainingsToCome } from '../../../activities/estimate/disk.ts';
import { artifactKey, ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createImportActivities } from '../../../activities/store/imports.ts';
import { jobIngredients } from '../../../domain/jobs/job-spec.ts';
import { isJob, type JobNode, stageGraph } from '../../../domain/stage-graph.ts';
import { activityEnvironment, inActivity, makePlan, rejection, temporaryFolder } from '../fixtures.ts';
import { trainerSource, writeModel } from '../store/model-fixtures.ts';

const disk = vi.hoisted(() => ({ free: 0, asked: [] as string[], missing: '' }));
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<object>()),
  statfs: async (path: string) => {
    disk.asked.push(path);
    if (path === disk.missing) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return { bavail: disk.free / 4096, bsize: 4096 };
  },
}));

const { recipe } = makePlan('/d');
const jobs = stageGraph(recipe).filter(isJob);
const models = { roots: [], caches: [] };

/** Weights of so many parameters, in two files, of which there are only headers and a hole. */
async function modelOf(shapes: number[][]): Promise<string> {
  const shards = shapes.map((shape, index) => [`model-${index}.safetensors`, header(shape)] as const);
  const map = Object.fromEntries(shards.map(([name], index) => [`w${index}`, name]));
  const index = JSON.stringify({ weight_map: map });
  const files = { 'model.safetensors': undefined, 'model.safetensors.index.json': index };
  return writeModel({ ...files, ...Object.fromEntries(shards) });
}

function header(shape: number[]): Buffer {
  const text = JSON.stringify({ __metadata__: { format: 'pt' }, w: { dtype: 'BF16', shape, data_offsets: [0, 0] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, Buffer.from(text)]);
}

beforeEach(() => {
  Object.assign(disk, { free: 1e12, asked: [], missing: '' });
});

async function estimated(trainings: readonly JobNode[] = jobs) {
  const model = await modelOf([
    [1_000_000, 1000],
    [10, 20_000_000],
  ]);
  return estimateDisk(trainings, { base_model: model }, { root: '/store', models });
}

it('counts parameters in the headers of all weights, and what each training needs of them', async () => {
  const { free, jobs: needs } = await estimated();
  expect(free).toBe(1e12);
  expect(needs.map(({ stage, parameters }) => [stage, parameters])).toEqual([
    ['sft', 1_200_000_000],
    ['grpo', 1_200_000_000],
  ]);
  expect(needs[0]?.size).toEqual({ checkpoint: 12 * 1.2e9, model: 4 * 1.2e9, checkpoints: 3 });
});

it('is enough to the byte, and one block less is refused by field, value and expectation', async () => {
  const needed = 40 * 1.2e9;
  disk.free = needed;
  checkDisk(await estimated(), '/store');
  disk.free = needed - 4096;
  const refused = await rejection(estimated().then((found) => checkDisk(found, '/store')));
  expect(refused).toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
  expect(refused).toHaveProperty(
    'message',
    'CRITIC_STORE ("/store"): expected 48.0 GB free for sft of 1200000000 parameters (3 checkpoints of 14.4 GB and a model of 4.8 GB), got "48.0 GB"',
  );
});

it('is looked at before a run is prepared, which asks nobody and submits nothing until then', async () => {
  const folder = await temporaryFolder();
  const python = join(folder, 'python');
  const versions = JSON.stringify({ schema: 1, engines: { llamafactory: {}, trl: {}, transformers: {} } });
  await writeFile(python, `#!/bin/sh\necho '${versions}'\n`, { mode: 0o755 });
  const plan = { ...makePlan('/d'), recipe: { ...recipe, base_model: await modelOf([[1_000_000, 1000]]) } };
  const activities = createImportActivities({
    store: new ArtifactStore(join(folder, 'store')),
    models,
    job: { python, engineFile: undefined, trainerSource },
  });
  const prepare = () => inActivity(activityEnvironment().env, () => activities.prepareRun({ plan }));
  expect(await prepare()).toHaveProperty('baseModel');
  disk.free = 4096;
  expect(await rejection(prepare())).toMatchObject({
    type: 'ConfigInvalid',
    message: expect.stringContaining('expected 40.0 GB free for sft'),
  });
});

it('is asked of the folder above where the store is not made yet', async () => {
  disk.missing = '/store';
  expect((await estimated()).free).toBe(1e12);
  expect(disk.asked).toEqual(['/store', '/']);
});

it('is not asked for a training whose like stands in the store', async () => {
  const store = new ArtifactStore(await temporaryFolder());
  const names = async () => (await trainingsToCome(store, recipe)).map(({ name }) => name);
  const all = jobs.map(({ name }) => name);
  expect(await names()).toEqual(all);
  const [sft] = jobs;
  if (sft === undefined) throw new Error('no training');
  for (const seed of [9, 1]) {
    const order = { params: sft.params, seed, trainer: '/t', engine: { name: sft.engine, versions: {} } };
    const ingredients = jobIngredients(order, 'm', {});
    const key = artifactKey('sft', ingredients);
    const from = await temporaryFolder();
    await store.publish({ stage: 'sft', key, ingredients, from, counts: {}, cost: {}, run: 'r', attempts: [] });
    expect(await names()).toEqual(seed === 1 ? all.slice(1) : all);
  }
});
