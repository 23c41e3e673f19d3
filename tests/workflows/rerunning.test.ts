/** A run that makes a stage anew. */
import { describe, expect, it } from 'vitest';
import { runKeys } from '../../activities/estimate/run-keys.ts';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import { type Stage, taskQueues } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { stageGraph } from '../../domain/stage-graph.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { artifact, plan, stubs, withWorkers } from './harness.ts';

const imported = {
  trainer: '/store/code/abc',
  baseModel: { key: 'base', path: '/store/models/base' },
  engines: { llamafactory: {}, trl: {}, transformers: {} },
};
const pixels = { min: 3136, max: 12_845_056 };

/** Keys that the jobs of this plan have in a run, and those that an estimate foretells. */
async function keysOf(given: RunPlan) {
  const keys = new Map<Stage, string>();
  const { activities } = stubs({
    prepareRun: async () => imported,
    lookUpArtifact: async ({ stage, ingredients }) => {
      const key = artifactKey(stage, ingredients);
      keys.set(stage, key);
      return { key };
    },
    publishJob: async ({ order }) => ({ ...artifact(order.stage), key: order.key }),
  });
  await withWorkers(activities, given.run, async (client) => {
    await client.workflow.execute<typeof trainCritic>('trainCritic', {
      workflowId: given.run,
      taskQueue: taskQueues.workflows,
      args: [given],
    });
  });
  return keys;
}

describe('a run that makes a stage anew', () => {
  it('has new keys from that stage on, and the same ones elsewhere', { timeout: 120_000 }, async () => {
    const run = 'wf-anew';
    const [usual, anew] = [
      await keysOf(plan('wf-usual')),
      await keysOf({ ...plan(run), anew: { from: 'grpo', by: run } }),
    ];
    const changed = [...usual.keys()].filter((stage) => usual.get(stage) !== anew.get(stage));
    expect(changed.toSorted()).toEqual(['grpo', 'predict-grpo']);
    // Another run that does the same again has others; one that goes on from it has the same.
    const again = await keysOf({ ...plan('wf-anew-2'), anew: { from: 'grpo', by: 'wf-anew-2' } });
    expect(again.get('grpo')).not.toBe(anew.get('grpo'));
    const resumed = await keysOf({ ...plan('wf-anew-3'), anew: { from: 'grpo', by: run }, resumes: run });
    expect(resumed).toEqual(anew);
  });
});

/** Keys in advance, with those of this stage on anew. */
function foretold(anew?: RunPlan['anew']) {
  const { recipe } = plan('unused');
  return runKeys(stageGraph(recipe), {
    recipe,
    dataset: artifact('dataset'),
    teacher: { datasetKey: 'key-dataset', baseUrl: 'http://t', settings: recipe.synthesis },
    pixels,
    found: imported,
    anew,
  });
}

describe('the keys that an estimate foretells', () => {
  it.each<[Stage, Stage[]]>([
    ['synthesis', ['synthesis', 'mix', 'sft', 'grpo', 'predict-sft', 'predict-grpo']],
    ['prompts', ['prompts', 'grpo', 'predict-base', 'predict-sft', 'predict-grpo']],
    ['mix', ['mix', 'sft', 'grpo', 'predict-sft', 'predict-grpo']],
    ['predict-base', ['predict-base']],
  ])('are new from %s on', (from, stages) => {
    const [usual, anew] = [foretold(), foretold({ from, by: 'r' })];
    expect([...usual.keys()].filter((stage) => usual.get(stage) !== anew.get(stage))).toEqual(stages);
  });
});
