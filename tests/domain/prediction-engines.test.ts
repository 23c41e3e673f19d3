/** Predictions: what transformers and vLLM make of a recipe's section, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { engines } from '../../domain/engines/registry.ts';
import { jobParams } from '../../domain/plan.ts';
import { checkRecipe, type Recipe } from '../../domain/recipe.ts';
import { makePlan } from '../activities/fixtures.ts';

const { recipe } = makePlan('/d');

describe('predictions', () => {
  const predicting = (changes: Partial<Recipe['predict']>, resources: Partial<Recipe['predict']['resources']> = {}) =>
    checkRecipe({
      ...recipe,
      predict: { ...recipe.predict, ...changes, resources: { ...recipe.predict.resources, cpus: 16, ...resources } },
    });
  const paramsOf = (...given: Parameters<typeof predicting>) => {
    const checked = predicting(...given);
    if ('faults' in checked) throw new Error(checked.faults.join());
    return jobParams('predict-base', checked.recipe);
  };
  const plain = { split: 'test', batch_size: 4, max_new_tokens: 64, sampled_temperature: 1 };

  it('have one process for each GPU of all nodes, or those that the recipe names, and one alone in earlier keys', () => {
    expect(paramsOf({ samples: 1 }, { gpus_per_node: 1 })).toEqual(plain);
    const whole = { nodes: 64, gpus_per_node: 16 };
    expect(paramsOf({}, whole)).toEqual({ ...plain, processes: 1024 });
    expect(engines.transformers.ranksPerNode({ processes: 1024 }, { nodes: 64 })).toBe(16);
    expect(paramsOf({ processes_per_node: 3 }, { nodes: 2, gpus_per_node: 0 })).toEqual({ ...plain, processes: 6 });
    expect(engines.transformers.ranksPerNode(plain, { nodes: 1 })).toBeUndefined();
  });

  it('hand on samples and prefill, and what vLLM alone has', () => {
    expect(paramsOf({ samples: 4, prefill: '<think>' })).toEqual({ ...plain, samples: 4, prefill: '<think>' });
    const own = { max_prompt_length: 2048, gpu_memory_utilization: 0.8 };
    expect(paramsOf({ engine: 'vllm', ...own }, { gpus_per_node: 1 })).toEqual({ ...plain, ...own });
  });

  it.each<[string, Partial<Recipe['predict']>, Partial<Recipe['predict']['resources']>, string]>([
    [
      'keys of the other engine',
      { gpu_memory_utilization: 0.8 },
      {},
      'gpu_memory_utilization: expected no such key where engine is transformers: it is for vllm, got 0.8',
    ],
    [
      'vLLM without a GPU',
      { engine: 'vllm' },
      { gpus_per_node: 0 },
      'resources.gpus_per_node: expected at least 1: vllm needs GPUs, got 0',
    ],
    [
      'processes beside GPUs',
      { processes_per_node: 2 },
      { gpus_per_node: 8 },
      'processes_per_node: expected no such key where gpus_per_node is 8: each GPU has one process, got 2',
    ],
    [
      'too few CPUs',
      {},
      { gpus_per_node: 8, cpus: 4 },
      'resources.cpus: expected at least 8, one for each process of a node, got 4',
    ],
    [
      'a mark of the chat template',
      { prefill: '<|im_end|>' },
      {},
      'prefill: expected a text without the marks of a chat template, which begin with <|, got "<|im_end|>"',
    ],
  ])('are refused before the queue: %s', (_what, changes, resources, fault) => {
    expect(predicting(changes, resources)).toEqual({ faults: [`recipe.predict.${fault}`] });
  });
});
