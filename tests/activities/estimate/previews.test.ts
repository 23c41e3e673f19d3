/** Previews against what a run writes and submits: the same requests, attempts and settings, and nothing made. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { previewJobs, type PreviewSources } from '../../../activities/estimate/previews.ts';
import { createAttemptActivities } from '../../../activities/jobs/attempts.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { firstAttempt } from '../../../domain/jobs/job-spec.ts';
import { orderJob } from '../../../domain/jobs/job-order.ts';
import type { Stage } from '../../../domain/names.ts';
import { isJob, stageGraph } from '../../../domain/stage-graph.ts';
import { makePlan, rejection, temporaryFolder } from '../fixtures.ts';
import { trainerSource, writeEnvironment, writeModel } from '../store/model-fixtures.ts';

// Interpreters start: tens of milliseconds, seconds where the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

const counts = { records: 24, test: 7 };

async function world(changes: { engineFile?: string; llamafactory?: Record<string, boolean | string> } = {}) {
  const root = await temporaryFolder();
  const baseModel = await writeModel({ 'preprocessor_config.json': '{"min_pixels":784,"max_pixels":50176}' });
  const { python } = await writeEnvironment();
  const made = makePlan('/data', {}, 'test-20261124-030000');
  const sft = { ...made.recipe.sft, llamafactory: changes.llamafactory ?? {} };
  const plan = { ...made, recipe: { ...made.recipe, base_model: baseModel, sft } };
  const engines = { llamafactory: {}, trl: {}, transformers: {} };
  // As for a model that will be copied: nothing stands under the path that jobs will read.
  const imported = { trainer: `${root}/code/abc`, baseModel: { key: 'base', path: `${root}/models/base` }, engines };
  const graph = stageGraph(plan.recipe);
  const upstream = {
    keys: new Map<Stage, string>(graph.map(({ name }) => [name, `key-of-${name}`])),
    counts: new Map(graph.map(({ name }) => [name, counts])),
  };
  const job = { trainerSource, python, engineFile: changes.engineFile };
  const sources: PreviewSources = { plan, imported, root, job };
  return { root, plan, imported, jobs: graph.filter(isJob), upstream, sources };
}

it('each job is previewed as the run would prepare it, before anything of it is there', async () => {
  const { root, plan, imported, jobs, upstream, sources } = await world();
  const { jobs: previews, notes } = await previewJobs(jobs, upstream, sources);
  expect(notes).toEqual([]);
  expect(previews.map(({ stage }) => stage)).toEqual(['sft', 'grpo', 'predict-base', 'predict-sft', 'predict-grpo']);
  await expect(access(join(root, 'runs'))).rejects.toThrow('ENOENT');
  const attempts = createAttemptActivities({
    store: new ArtifactStore(root),
    job: { python: '', engineFile: undefined, script: '', owner: undefined, userName: '', fileIntervalMs: 1 },
    models: { roots: [], caches: [] },
  });
  for (const [index, node] of jobs.entries()) {
    const { baseModel: _checkedBefore, ...order } = orderJob(
      node,
      plan,
      imported,
      (stage) => ({ path: `${root}/artifacts/${stage}/key-of-${stage}`, counts }),
      { key: '', ingredients: {} },
    );
    const { directory, name } = await attempts.prepareAttempt({ order, attempt: 1, changes: firstAttempt });
    expect(JSON.parse(await readFile(join(directory, 'attempt.json'), 'utf8'))).toEqual(previews[index]?.attempt);
    expect(previews[index]?.request).toMatchObject({
      name,
      nodes: 1,
      gpus: { countPerNode: 1 },
      environment: { CRITIC_ATTEMPT_DIR: directory, CRITIC_TRAINER: imported.trainer },
    });
  }
});

it('the engines render their own settings, with the pixels of the base model and the path that the job will read', async () => {
  const { jobs, upstream, sources, root } = await world({ llamafactory: { pure_bf16: true } });
  const { jobs: previews } = await previewJobs(jobs, upstream, sources);
  const settings = Object.fromEntries(previews.map((one) => [one.stage, one.settings]));
  expect(settings['sft']).toMatchObject({
    file: 'llamafactory.yaml',
    values: {
      model_name_or_path: `${root}/models/base`,
      image_max_pixels: 50176,
      pure_bf16: true,
      bf16: true,
      per_device_train_batch_size: 4,
    },
  });
  expect(settings['grpo']).toMatchObject({ file: 'grpo_config.json', values: { use_cpu: false, max_steps: 1 } });
  expect(settings['predict-sft']).toBeNull();
});

it('where only nodes have the environment a note says so, and the requests are there', async () => {
  const { jobs, upstream, sources } = await world({ engineFile: '/engine.json' });
  const { jobs: previews, notes } = await previewJobs(jobs, upstream, sources);
  expect(previews.map(({ settings }) => settings)).toEqual(Array.from({ length: 5 }, () => null));
  expect(previews[0]?.request).toHaveProperty('name', 'critic-test-20261124-030000-sft-a1');
  expect(notes).toEqual([expect.stringContaining('CRITIC_ENGINE_FILE is set')]);
});

it('what an engine refuses to render is refused for good', async () => {
  const { jobs, upstream, sources } = await world({ llamafactory: { output_dir: '/elsewhere' } });
  expect(await rejection(previewJobs(jobs, upstream, sources))).toMatchObject({
    type: 'RecipeInvalid',
    nonRetryable: true,
    message: expect.stringContaining('params.llamafactory.output_dir: this key is set by the trainer'),
  });
});
