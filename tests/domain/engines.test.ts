/** Engines: what each makes of a recipe's section before its job runs. */
import { describe, expect, it } from 'vitest';
import type { JobKind } from '../../domain/names.ts';
import { oneProcess } from '../../domain/engines/engine.ts';
import { engineOfKind, engines } from '../../domain/engines/registry.ts';
import { jobParams, jobPlanned } from '../../domain/plan.ts';
import { checkRecipe, type Recipe } from '../../domain/recipe.ts';
import { makePlan } from '../activities/fixtures.ts';

const { recipe } = makePlan('/d');
const kinds: JobKind[] = ['sft', 'grpo', 'predict'];

function withSft(changes: Partial<Recipe['sft']>): Recipe {
  return { ...recipe, sft: { ...recipe.sft, ...changes } };
}

describe('an engine', () => {
  it.each(kinds)('that is chosen for %s does this kind of work', (kind) => {
    expect(engines[engineOfKind[kind]].kind).toBe(kind);
  });

  it('gets what determines its output: neither resources nor threads', () => {
    expect(jobParams('sft', recipe)).toEqual({
      batch_size: 4,
      gradient_accumulation: 1,
      learning_rate: 1e-4,
      epochs: 1,
      warmup_ratio: 0.1,
      cutoff_len: 4096,
      save_steps: 10,
      llamafactory: {},
    });
    expect(jobParams('grpo', recipe)).not.toHaveProperty('threads');
    expect(jobParams('predict-sft', recipe)).toEqual({
      split: 'test',
      batch_size: 4,
      max_new_tokens: 64,
      sampled_temperature: 1,
    });
  });
});

describe('planned steps and rows', () => {
  // As LLaMA-Factory 0.9.5 counts them: `state.max_steps` of transformers.Trainer.
  it.each([
    ['one batch a step', 24, { batch_size: 4 }, 6],
    ['a last batch that is not full', 25, { batch_size: 4 }, 7],
    ['accumulated, the last step from fewer batches', 25, { batch_size: 4, gradient_accumulation: 2 }, 4],
    ['fewer records than one step takes', 3, { batch_size: 4, gradient_accumulation: 8 }, 1],
    ['whole epochs', 25, { batch_size: 4, gradient_accumulation: 2, epochs: 3 }, 12],
    ['part of an epoch, rounded up', 25, { batch_size: 4, epochs: 1.5 }, 11],
  ])('of SFT: %s', (_what, records, settings, steps) => {
    expect(jobPlanned('sft', withSft(settings), { records, rows: 9 })).toEqual({ steps, rows: null });
  });

  it('of GRPO are the recipe’s, of a prediction its rows', () => {
    expect(jobPlanned('grpo', recipe, { records: 25, rows: 9 })).toEqual({ steps: 1, rows: null });
    expect(jobPlanned('predict-base', recipe, { records: 25, rows: 9 })).toEqual({ steps: null, rows: 9 });
  });
});

describe('a training spread over processes', () => {
  const resources = { ...recipe.sft.resources, nodes: 2, gpus_per_node: 8, cpus: 8 };
  const spread: Partial<Recipe['sft']> = { deepspeed: 'zero3', batch_size: 2, global_batch_size: 64, resources };

  it('has one process for each GPU of all nodes, and accumulates what is left of the global batch', () => {
    const params = { batch_size: 2, gradient_accumulation: 2, deepspeed: 'zero3', processes: 16 };
    expect(jobParams('sft', withSft(spread))).toMatchObject(params);
    expect(engines.llamafactory.unitsEach(params)).toBe(64);
    const cpus = {
      ...spread,
      global_batch_size: 12,
      processes_per_node: 3,
      resources: { ...resources, gpus_per_node: 0 },
    };
    expect(jobParams('sft', withSft(cpus))).toMatchObject({ gradient_accumulation: 1, processes: 6 });
  });

  it('keeps the key of one process without DeepSpeed, however its batch is written', () => {
    const params = jobParams('sft', withSft({ batch_size: 4, global_batch_size: 8 }));
    expect(params).toEqual(jobParams('sft', withSft({ batch_size: 4, gradient_accumulation: 2 })));
  });

  // 16 processes, micro-batch 2: ceil(records / 2) batches dealt out to 16, two of each in a step.
  it.each([
    [64, 1],
    [65, 2],
    [640, 10],
    [3, 1],
  ])('of %i records plans %i steps', (records, steps) => {
    expect(jobPlanned('sft', withSft(spread), { records, rows: null }).steps).toBe(steps);
  });

  it.each<[string, Partial<Recipe['sft']>, string[]]>([
    [
      'a batch that cannot be shared out',
      { ...spread, global_batch_size: 48 },
      [
        'recipe.sft.global_batch_size: expected a multiple of batch_size × processes, 2 × 16 (nodes × processes on each), got 48',
      ],
    ],
    [
      'no global batch',
      { ...spread, global_batch_size: undefined },
      [
        'recipe.sft.global_batch_size: expected the records of one step over all processes, which deepspeed needs, got nothing',
      ],
    ],
    [
      'an accumulation said twice',
      { ...spread, gradient_accumulation: 2 },
      [
        'recipe.sft.gradient_accumulation: expected no gradient_accumulation beside global_batch_size, from which it follows, got 2',
      ],
    ],
    [
      'processes beside GPUs, and too few CPUs',
      { ...spread, processes_per_node: 2, resources: { ...resources, cpus: 4 } },
      [
        'recipe.sft.processes_per_node: expected no such key where gpus_per_node is 8: each GPU has one process, got 2',
        'recipe.sft.resources.cpus: expected at least 8, one for each process of a node, got 4',
      ],
    ],
    [
      'nodes and GPUs that one process leaves idle',
      { resources },
      [
        'recipe.sft.resources.nodes: expected at most 1: llamafactory without deepspeed uses no more nodes, got 2',
        'recipe.sft.resources.gpus_per_node: expected at most 1: llamafactory without deepspeed uses no more GPUs on a node, got 8',
      ],
    ],
    [
      'processes without DeepSpeed',
      { processes_per_node: 2 },
      ['recipe.sft.processes_per_node: expected no such key where deepspeed is none: there is one process, got 2'],
    ],
  ])('is refused before the queue: %s', (_what, settings, faults) => {
    expect(checkRecipe(withSft(settings))).toEqual({ faults });
  });
});

describe('the check of a recipe', () => {
  it('asks the engine, which names its own keys', () => {
    const checked = checkRecipe(withSft({ llamafactory: { weight_decay: 0.1, output_dir: '/x', lora_rnk: 8 } }));
    expect(checked).toEqual({
      faults: [
        'recipe.sft.llamafactory.output_dir: expected no such key, which the trainer sets itself, got "/x"',
        'recipe.sft.llamafactory.lora_rnk: expected an argument that LLaMA-Factory 0.9.5 knows, got 8',
      ],
    });
  });
});

describe('resources that an engine cannot use are refused before anything is spent', () => {
  const asking = (kind: JobKind, resources: Partial<Recipe['sft']['resources']>) =>
    checkRecipe({ ...recipe, [kind]: { ...recipe[kind], resources: { ...recipe[kind].resources, ...resources } } });

  it.each(kinds.filter((kind) => engines[engineOfKind[kind]].reach === oneProcess))(
    'of %s, one process: a second node and a second GPU, each by field, value and expectation',
    (kind) => {
      const engine = engineOfKind[kind];
      expect(asking(kind, { nodes: 1, gpus_per_node: 1 })).toHaveProperty('recipe');
      expect(asking(kind, { nodes: 2, gpus_per_node: 8 })).toEqual({
        faults: [
          `recipe.${kind}.resources.nodes: expected at most 1: ${engine} uses no more nodes, got 2`,
          `recipe.${kind}.resources.gpus_per_node: expected at most 1: ${engine} uses no more GPUs on a node, got 8`,
        ],
      });
    },
  );

  it('TRL and transformers are one process on one GPU, or on none', () => {
    expect([engines.trl.reach, engines.transformers.reach]).toEqual([oneProcess, oneProcess]);
    expect(asking('grpo', { gpus_per_node: 0 })).toHaveProperty('recipe');
  });
});

describe('what a job’s time grows with', () => {
  it.each([
    ['records of a step', 'llamafactory', { batch_size: 4, gradient_accumulation: 3 }, 12],
    ['answers of a step', 'trl', { prompts_per_step: 4, generations: 8, gradient_accumulation: 2 }, 32],
    ['rows', 'transformers', { batch_size: 4 }, 1],
    ['nothing known of an earlier job', 'llamafactory', {}, 1],
  ] as const)('%s', (_what, engine, params, units) => {
    expect(engines[engine].unitsEach(params)).toBe(units);
  });
});
