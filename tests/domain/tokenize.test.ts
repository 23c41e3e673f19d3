/** `sft.tokenize`: a job between the mix and SFT, whose key follows from what determines tokens alone. */
import { describe, expect, it } from 'vitest';
import { besideTokens, llamaFactoryArguments, ownedByTrainer } from '../../domain/engines/llamafactory-arguments.ts';
import { orderJob } from '../../domain/jobs/job-order.ts';
import type { Stage } from '../../domain/names.ts';
import { checkRecipe, type Recipe } from '../../domain/recipe.ts';
import { isJob, type JobNode, stageGraph } from '../../domain/stage-graph.ts';
import { foretellKeys, ingredientsOfJob } from '../../domain/stage-keys.ts';
import { makePlan } from '../activities/fixtures.ts';

const plan = makePlan('/d');
const surroundings = {
  trainer: '/store/code/abc',
  baseModel: { key: 'base', path: '/models/base' },
  engines: { llamafactory: {}, trl: {}, transformers: {} },
};

function withTokenize(tokenize: object = { resources: { time_limit_minutes: 30 } }, sft: object = {}): Recipe {
  const checked = checkRecipe({ ...plan.recipe, sft: { ...plan.recipe.sft, tokenize, ...sft } });
  if ('faults' in checked) throw new Error(checked.faults.join('\n'));
  return checked.recipe;
}

function jobsOf(recipe: Recipe): JobNode[] {
  return stageGraph(recipe).filter(isJob);
}

function keysOf(recipe: Recipe): Map<Stage, string> {
  return foretellKeys(stageGraph(recipe), (node, keyOf) =>
    isJob(node) ? JSON.stringify(ingredientsOfJob(node, surroundings, keyOf)) : node.name,
  );
}

const recipe = withTokenize();

describe('the tokenising job', () => {
  it('stands between the mix and SFT, which takes what it made', () => {
    const names = stageGraph(recipe).map(({ name }) => name);
    expect(names.slice(3, 6)).toEqual(['mix', 'tokenize', 'sft']);
    const [tokenize, sft] = jobsOf(recipe);
    expect(tokenize).toMatchObject({
      inputs: { dataset: 'dataset', mix: 'mix' },
      model: 'base',
      engine: 'llamafactory',
      params: { cutoff_len: 4096, llamafactory: {} },
      resources: { gpus_per_node: 0, nodes: 1 },
      canSkip: false,
    });
    if (sft === undefined) throw new Error('there is no SFT');
    expect(sft.inputs).toEqual({ dataset: 'dataset', tokenized: 'tokenize' });
    const order = orderJob(
      sft,
      { ...plan, recipe },
      surroundings,
      (stage) => ({ path: `/store/${stage}`, counts: { records: 12 } }),
      { key: 'k', ingredients: {} },
    );
    expect(order.inputs).toEqual({ dataset: '/store/dataset', tokenized: '/store/tokenize/tokenized' });
  });

  it('must do the records of the mix, as rows; SFT counts its steps from them as ever', () => {
    const counts = (stage: Stage): Record<string, number> => (stage === 'mix' ? { records: 101 } : { test: 7 });
    expect(jobsOf(recipe).map((node) => node.planned(counts))).toEqual([
      { steps: null, rows: 101 },
      ...jobsOf(plan.recipe).map((node) => node.planned(counts)),
    ]);
  });

  it('is not there, and no key is another, where a recipe does not ask for it', () => {
    expect(stageGraph(plan.recipe).map(({ name }) => name)).not.toContain('tokenize');
    expect(jobsOf(plan.recipe)[0]?.params).not.toHaveProperty('tokenize');
    expect(jobsOf(recipe)[1]?.params).toEqual(jobsOf(plan.recipe)[0]?.params);
  });
});

describe('a change of the recipe', () => {
  it.each<[string, boolean, object]>([
    ['of the learning rate', false, { learning_rate: 1e-6 }],
    ['of the batch', false, { batch_size: 2 }],
    ['of an argument that touches no token', false, { llamafactory: { weight_decay: 0.1, flash_attn: 'fa2' } }],
    ['of the longest record', true, { cutoff_len: 512 }],
    ['of the template', true, { llamafactory: { template: 'qwen2_5_vl' } }],
    ['of the pictures’ size', true, { llamafactory: { image_max_pixels: 50_176 } }],
  ])('%s tokenises anew: %s', (_what, isAnew, sft) => {
    const changed = withTokenize(undefined, sft);
    expect(keysOf(changed).get('tokenize') !== keysOf(recipe).get('tokenize')).toBe(isAnew);
    expect(keysOf(changed).get('sft')).not.toBe(keysOf(recipe).get('sft'));
  });

  it('of where it runs makes nothing again', () => {
    const moved = withTokenize({ threads: 8, resources: { cpus: 8, time_limit_minutes: 5 } });
    expect(keysOf(moved)).toEqual(keysOf(recipe));
  });

  it('knows the names of the arguments that touch no token', () => {
    for (const name of besideTokens) {
      expect([name, llamaFactoryArguments.has(name), ownedByTrainer.has(name)]).toEqual([name, true, false]);
    }
  });
});

it('a job that would idle is refused, by field, value and expectation', () => {
  const resources = { nodes: 2, gpus_per_node: 8, time_limit_minutes: 5 };
  const checked = checkRecipe({ ...plan.recipe, sft: { ...plan.recipe.sft, tokenize: { threads: 4, resources } } });
  expect(checked).toEqual({
    faults: [
      'recipe.sft.tokenize.resources.cpus: expected at least 4, one for each of its threads, got 1',
      'recipe.sft.tokenize.resources.nodes: expected at most 1: tokenising uses no more nodes, got 2',
      'recipe.sft.tokenize.resources.gpus_per_node: expected at most 1: tokenising uses no more GPUs on a node, got 8',
    ],
  });
});
