/** Estimates against the real stages: the same keys, the same answers, nothing asked and nothing written. */
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readEstimate } from '../../../activities/estimate/estimate-file.ts';
import { createEstimateActivities } from '../../../activities/estimate/estimating.ts';
import { createImportActivities, type PreparedRun } from '../../../activities/store/imports.ts';
import { createRecordActivities } from '../../../activities/records/records.ts';
import type { RunEstimate, StageEstimate } from '../../../domain/estimate/estimate.ts';
import { isJob, stageGraph } from '../../../domain/stage-graph.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import type { SynthesisSettings } from '../../../domain/recipe.ts';
import { activityEnvironment, inActivity, makePlan } from '../fixtures.ts';
import { trainerSource, writeEnvironment, writeModel } from '../store/model-fixtures.ts';
import { SynthesisBench } from '../synthesis/synthesis-fixtures.ts';

// Interpreters start: tens of milliseconds, seconds where the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

const prices = { input: 2.5, cached_input: 1.25, output: 10, batch_discount: 0.5 };
let bench: SynthesisBench;
let baseModel: string;
let environment: { python: string; site: string };

beforeEach(async () => {
  bench = await SynthesisBench.make(6);
  baseModel = await writeModel();
  environment = await writeEnvironment({ torch: '2.11.0' });
});

function planned(settings: Partial<SynthesisSettings> = {}): RunPlan {
  const plan = makePlan(bench.folder, settings, 'test-20261124-030000');
  return { ...plan, recipe: { ...plan.recipe, base_model: baseModel } };
}

function deps() {
  const job = {
    trainerSource,
    python: environment.python,
    engineFile: undefined,
    script: '',
    owner: undefined,
    userName: 'x',
    fileIntervalMs: 1,
  };
  const models = { roots: [], caches: [] };
  return { store: bench.store, job, models, llm: bench.llm };
}

function estimate(plan: RunPlan, imported: PreparedRun | null = null): Promise<RunEstimate> {
  const { dataset } = bench;
  return inActivity(activityEnvironment().env, () =>
    createEstimateActivities(deps()).estimateRun({ plan, dataset, imported }),
  );
}

function of(stage: StageEstimate['stage'], { stages }: RunEstimate): StageEstimate {
  const found = stages.find((one) => one.stage === stage);
  if (found === undefined) throw new Error(`no estimate of ${stage}`);
  return found;
}

describe('a plan', () => {
  it('of a new run has every row to ask, unknown times, and a limit for each job', async () => {
    const plan = planned({ prices });
    const all = await estimate(plan);
    expect(all.stages.map(({ stage, action }) => `${action} ${stage}`)).toEqual([
      'reuse dataset',
      ...['synthesis', 'prompts', 'mix', 'sft', 'grpo', 'predict-base', 'predict-sft', 'predict-grpo'].map(
        (stage) => `make ${stage}`,
      ),
    ]);
    const { synthesis } = of('synthesis', all);
    // Twelve records of six pairs, batches of four.
    expect(of('sft', all).job).toEqual({
      steps: 3,
      rows: null,
      seconds: null,
      gpuHours: { expected: null, atMost: 10 / 60 },
      measuredIn: null,
      kill: { saveSteps: 3, stepSeconds: null, alsoAtLimit: false, allowedMinutes: null },
    });
    expect(of('predict-sft', all).job).toMatchObject({ steps: null, rows: 1 });
    // Two pictures of 8 × 8 are a tile each: 85 + 170.
    expect(synthesis).toMatchObject({ rows: 6, answered: 0, tokens: { images: 6 * 2 * 255, output: 6 * 350 } });
    const input = synthesis?.tokens.input ?? 0;
    expect(synthesis?.usd.expected).toBeCloseTo((input * 2.5 + 6 * 350 * 10) / 1e6);
    expect(synthesis?.usd.atMost).toBeCloseTo((3 * (input * 2.5 + 6 * 800 * 10)) / 1e6);
    expect(bench.teacher.requests).toHaveLength(0);
    await expect(access(join(bench.store.root, 'runs'))).rejects.toThrow('ENOENT');
    await expect(access(join(bench.store.root, 'partial', 'synthesis'))).rejects.toThrow('ENOENT');
  });

  it('that asks by batches expects the discount', async () => {
    const chat = of('synthesis', await estimate(planned({ prices }))).synthesis;
    const batch = of('synthesis', await estimate(planned({ prices, api: 'batch' }))).synthesis;
    expect(batch?.usd.expected).toBeCloseTo((chat?.usd.expected ?? 0) / 2);
    expect(batch?.usd.atMost).toBeCloseTo((chat?.usd.atMost ?? 0) / 2);
    expect(batch?.tokens).toEqual(chat?.tokens);
  });

  it('names the artifacts that the stages made, by their keys', async () => {
    const plan = planned();
    const { store, dataset } = bench;
    const synthesis = await bench.run();
    const records = createRecordActivities({ store });
    const { env } = activityEnvironment();
    const prompts = await inActivity(env, () => records.writePrompts({ plan, dataset }));
    const mix = await inActivity(env, () => records.mixRecords({ plan, dataset, synthesis }));
    const all = await estimate(plan);
    for (const artifact of [dataset, synthesis, prompts, mix]) {
      expect(of(artifact.stage, all)).toEqual({ stage: artifact.stage, action: 'reuse', key: artifact.key });
    }
  });

  it('counts the rows that are answered and what they cost, and leaves the log alone', async () => {
    await expect(bench.run({ budget_usd: 0.02, concurrency: 1 })).rejects.toThrow('cap');
    const asked = bench.teacher.requests.length;
    const { synthesis } = of('synthesis', await estimate(planned()));
    expect(asked).toBeGreaterThan(0);
    expect(synthesis).toMatchObject({ rows: 6, answered: asked });
    expect(synthesis?.usd.spent).toBeGreaterThan(0);
  });

  it('of another seed reuses critiques and prompts, and trains anew', async () => {
    await bench.run();
    const plan = planned();
    const other = await estimate({ ...plan, recipe: { ...plan.recipe, seed: 2 } });
    expect(of('synthesis', other).action).toBe('reuse');
    const [one, two] = [of('sft', await estimate(plan)).key, of('sft', other).key];
    expect(one).not.toBe(two);
  });

  it('takes times from the newest job of a run of this recipe, for as much work', async () => {
    const measured = async (run: string, key: string, steps: number, seconds: number) => {
      const from = await bench.store.partial('sft', key);
      await writeFile(join(from, 'x'), run);
      const ingredients = { params: { batch_size: 8, gradient_accumulation: 1 } };
      const made = { run, attempts: [], counts: { steps }, cost: { seconds, gpu_hours: 1 } };
      await bench.store.publish({ stage: 'sft', key, ingredients, from, ...made });
    };
    await measured('other-20261123-010000', 'b'.repeat(32), 10, 8);
    await measured('test-20261101-010000', 'a'.repeat(32), 30, 240);
    const { job } = of('sft', await estimate(planned()));
    // A second a record of batches of eight; three batches of four.
    expect(job).toMatchObject({ steps: 3, seconds: 12, measuredIn: 'test-20261101-010000' });
    expect(job?.gpuHours.expected).toBeCloseTo(12 / 3600);
  });

  it('in an upgraded environment keeps critiques, mix and prompts, and trains anew', async () => {
    const synthesis = await bench.run();
    const plan = planned();
    const { store, dataset } = bench;
    const records = createRecordActivities({ store });
    const { env } = activityEnvironment();
    const prompts = await inActivity(env, () => records.writePrompts({ plan, dataset }));
    const mix = await inActivity(env, () => records.mixRecords({ plan, dataset, synthesis }));
    const before = await estimate(plan);
    await rename(join(environment.site, 'torch-2.11.0.dist-info'), join(environment.site, 'torch-2.12.0.dist-info'));
    await writeFile(join(environment.site, 'torch-2.12.0.dist-info', 'METADATA'), 'Name: torch\nVersion: 2.12.0\n');
    const after = await estimate(plan);
    for (const { stage, key } of [dataset, synthesis, prompts, mix]) {
      expect(of(stage, after)).toEqual({ stage, action: 'reuse', key });
    }
    for (const { name: stage } of stageGraph(plan.recipe).filter(isJob))
      expect(of(stage, after).key).not.toBe(of(stage, before).key);
  });

  it('refuses a base model that is none, by the field', async () => {
    const plan = planned();
    const wrong = { ...plan, recipe: { ...plan.recipe, base_model: bench.folder } };
    await expect(estimate(wrong)).rejects.toThrow(/base_model/);
  });
});

describe('a run that goes on', () => {
  it('keeps its estimate, by what it has imported; a plan has the same keys', async () => {
    const plan = planned();
    const imported = await inActivity(activityEnvironment().env, () =>
      createImportActivities(deps()).prepareRun({ plan }),
    );
    const kept = await estimate(plan, imported);
    expect(await readEstimate(bench.store.root, plan.run)).toEqual(kept);
    expect(await estimate(plan)).toEqual({ ...kept, previews: expect.any(Object), disk: expect.any(Object) });
  });

  it('has none where the file is damaged or missing', async () => {
    const folder = join(bench.store.root, 'runs', 'test-1');
    await mkdir(folder, { recursive: true });
    for (const text of ['{', '{"schema":1}', '[]']) {
      await writeFile(join(folder, 'estimate.json'), text);
      expect(await readEstimate(bench.store.root, 'test-1')).toBeUndefined();
    }
    expect(await readEstimate(bench.store.root, 'test-2')).toBeUndefined();
  });
});
