/** The plan and the run know each other's keys: of random recipes, what `critic plan` foretells is what the run then makes. */
import { Context } from '@temporalio/activity';
import { describe, expect, it } from 'vitest';
import { runKeys } from '../../activities/estimate/run-keys.ts';
import type { Activities } from '../../activities/index.ts';
import { mixIngredients, promptsIngredients } from '../../activities/records/records.ts';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import type { PreparedRun } from '../../activities/store/imports.ts';
import { synthesisIngredients } from '../../activities/synthesis/keys.ts';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { type Stage, taskQueues } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { teacherNeeded, teacherOf } from '../../domain/recipe/arms.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { stageGraph } from '../../domain/stage-graph.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { artifact, plan, stubs, withWorkers } from './harness.ts';

const teacherUrl = 'http://teacher/v1';
const pixels = { min: 3136, max: 12_845_056 };
const imported: PreparedRun = {
  trainer: '/store/code/abc',
  baseModel: { key: 'base', path: '/store/models/base' },
  engines: { llamafactory: { llamafactory: '0.9.5' }, trl: { trl: '1.0' }, transformers: { torch: '2.11.0' } },
};

/** The harness' recipe with random values wherever a key could depend on one. */
function randomRecipe(seed: number, arm: Partial<Recipe> = {}): Recipe {
  const random = seededRandom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const one = <T>(values: readonly [T, ...T[]]): T => values[whole(0, values.length - 1)] ?? values[0];
  const { recipe } = plan('unused');
  return {
    ...recipe,
    seed: whole(0, 1000),
    prompt: one(['compact-v1', 'paper-v1']),
    synthesis: { ...recipe.synthesis, model: one(['a', 'b']), temperature: random(), max_tokens: whole(100, 900) },
    mix: one([{ direct_per_reasoning: one([0, 0.5, 1]) }, { cot: 0.5, direct: one([0, 1]) }]),
    sft: { ...recipe.sft, batch_size: whole(1, 64), epochs: whole(1, 9), threads: whole(1, 4) },
    grpo: {
      ...recipe.grpo,
      steps: whole(1, 99),
      beta: random(),
      reward: { ...recipe.grpo.reward, shape: one(['l1', 'l2', 'gaussian', 'laplace']) },
    },
    predict: { ...recipe.predict, batch_size: whole(1, 9), max_new_tokens: whole(10, 900) },
    ...arm,
  };
}

/** What stands under the key of what it was made from, as the stages themselves compute it. */
function made(stage: Stage, ingredients: Record<string, unknown>): ArtifactRef {
  return { ...artifact(stage, { test: 7, records: 100 }), key: artifactKey(stage, ingredients) };
}

/** Activities that keep every key that a run asks for or makes, by run and stage. `isThere`: does a job's artifact stand? */
function keepingKeys(isThere: (run: string, stage: Stage) => boolean) {
  const keys = new Map<string, Map<Stage, string>>();
  const currentRun = () => Context.current().info.workflowExecution?.workflowId ?? '';
  const kept = (one: ArtifactRef): ArtifactRef => {
    const run = currentRun();
    keys.set(run, (keys.get(run) ?? new Map<Stage, string>()).set(one.stage, one.key));
    return one;
  };
  const overrides: Partial<Activities> = {
    checkDataset: async () => kept(artifact('dataset')),
    prepareRun: async () => imported,
    synthesizeCritiques: async ({ plan: { recipe }, dataset }) => {
      const teacher = { datasetKey: dataset.key, baseUrl: teacherUrl, settings: teacherNeeded(recipe) };
      return kept(made('synthesis', synthesisIngredients(teacher)));
    },
    writePrompts: async ({ plan: { recipe }, dataset }) =>
      kept(made('prompts', promptsIngredients(recipe, dataset.key))),
    mixRecords: async ({ plan: { recipe }, dataset, synthesis }) =>
      kept(made('mix', mixIngredients(recipe, dataset.key, synthesis?.key, pixels))),
    lookUpArtifact: async ({ stage, ingredients }) => {
      const found = kept(made(stage, ingredients));
      return isThere(currentRun(), stage) ? { key: found.key, artifact: found } : { key: found.key };
    },
    publishJob: async ({ order }) => ({ ...artifact(order.stage), key: artifactKey(order.stage, order.ingredients) }),
  };
  return { keys, activities: stubs(overrides).activities };
}

/** Runs them, and expects of each that its keys are those that its plan foretells. */
async function expectForetold(plans: readonly RunPlan[]): Promise<Map<string, Map<Stage, string>>> {
  const random = seededRandom(7);
  const { activities, keys } = keepingKeys(() => random() < 0.5);
  await withWorkers(
    activities,
    plans.map(({ run }) => run),
    async (client) => {
      const results = plans.map((one) =>
        client.workflow.execute<typeof trainCritic>('trainCritic', {
          workflowId: one.run,
          taskQueue: taskQueues.workflows,
          args: [one],
        }),
      );
      for (const { passed } of await Promise.all(results)) expect(passed).toBe(true);
    },
  );
  for (const { run, recipe } of plans) {
    const dataset = artifact('dataset');
    const settings = teacherOf(recipe);
    const teacher = settings && { datasetKey: dataset.key, baseUrl: teacherUrl, settings };
    const foretold = runKeys(stageGraph(recipe), { recipe, dataset, teacher, pixels, found: imported });
    expect(foretold.size).toBe(stageGraph(recipe).length - 3);
    expect(keys.get(run)).toEqual(foretold);
  }
  return keys;
}

describe('of random recipes', () => {
  it('the keys that a plan foretells are those of the run, whether its jobs run or are there already', async () => {
    const plans = Array.from({ length: 8 }, (_, index): RunPlan => {
      return { schema: 1, run: `wf-keys-${index}`, recipe: randomRecipe(index + 1) };
    });
    const keys = await expectForetold(plans);
    const runs = plans.map(({ run }) => run);
    // Recipes that all had the same keys would show nothing.
    for (const stage of ['synthesis', 'mix', 'sft', 'grpo', 'predict-base'] as const) {
      expect(new Set(runs.map((run) => keys.get(run)?.get(stage))).size).toBe(runs.length);
    }
  }, 120_000);

  it('that leave out SFT, the teacher or one form of records too', async () => {
    const arms: Partial<Recipe>[] = [
      { sft: 'none' },
      { synthesis: 'none', mix: {} },
      { synthesis: 'human', mix: {} },
      { mix: { cot: 0, direct: 1 } },
      { mix: { cot: 1, direct: 0 } },
    ];
    const plans = arms.map((arm, index): RunPlan => {
      return { schema: 1, run: `wf-arms-${index}`, recipe: randomRecipe(1, arm) };
    });
    const keys = await expectForetold(plans);
    const stagesOf = (index: number) => [...(keys.get(`wf-arms-${index}`)?.keys() ?? [])].toSorted().join(' ');
    expect(stagesOf(0)).toBe('dataset grpo predict-base predict-grpo prompts');
    expect(stagesOf(1)).toBe('dataset grpo mix predict-base predict-grpo predict-sft prompts sft');
    expect(stagesOf(4)).toBe('dataset grpo mix predict-base predict-grpo predict-sft prompts sft synthesis');
    // Bare scores alone are the same records, however one comes to them.
    const mixes = arms.map((_, index) => keys.get(`wf-arms-${index}`)?.get('mix'));
    expect(mixes[3]).toBe(mixes[1]);
    expect(new Set(mixes).size).toBe(4);
  }, 120_000);
});
