/** Engines: what each makes of a recipe's section before its job runs. */
import { describe, expect, it } from 'vitest';
import type { JobKind } from '../../domain/names.ts';
import { oneProcess } from '../../domain/engines/engine.ts';
import { engineOf, engines, enginesOfKind } from '../../domain/engines/registry.ts';
import { jobParams, jobPlanned } from '../../domain/plan.ts';
import { checkRecipe, type Recipe, type SftSettings } from '../../domain/recipe.ts';
import { makePlan } from '../activities/fixtures.ts';

const { recipe } = makePlan('/d');
/** Kinds with a section of their own. */
type Kind = Exclude<JobKind, 'tokenize'>;
const kinds: Kind[] = ['sft', 'grpo', 'predict'];

function withSft(changes: Partial<SftSettings>): Recipe {
  return { ...recipe, sft: { ...recipe.sft, ...changes } };
}

describe('an engine', () => {
  it.each(kinds)('that can be chosen for %s does this kind of work', (kind) => {
    for (const name of enginesOfKind[kind]) expect(engines[name].kind).toBe(kind);
  });

  it('is the first one of its kind where a recipe of an earlier release names none', () => {
    expect([engineOf('grpo', {}), engineOf('grpo', { engine: 'verl' })]).toEqual(['trl', 'verl']);
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
  const spread: Partial<SftSettings> = { deepspeed: 'zero3', batch_size: 2, global_batch_size: 64, resources };

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

  it.each<[string, Partial<SftSettings>, string[]]>([
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
  const asking = (kind: Kind, resources: Partial<SftSettings['resources']>) =>
    checkRecipe({ ...recipe, [kind]: { ...recipe[kind], resources: { ...recipe[kind].resources, ...resources } } });

  it.each(kinds.filter((kind) => engines[engineOf(kind, recipe[kind])].reach === oneProcess))(
    'of %s, one process: a second node and a second GPU, each by field, value and expectation',
    (kind) => {
      const engine = engineOf(kind, recipe[kind]);
      expect(asking(kind, { nodes: 1, gpus_per_node: 1 })).toHaveProperty('recipe');
      expect(asking(kind, { nodes: 2, gpus_per_node: 8 })).toEqual({
        faults: [
          `recipe.${kind}.resources.nodes: expected at most 1: ${engine} uses no more nodes, got 2`,
          `recipe.${kind}.resources.gpus_per_node: expected at most 1: ${engine} uses no more GPUs on a node, got 8`,
        ],
      });
    },
  );

  it('TRL is one process on one GPU, or on none', () => {
    expect(engines.trl.reach).toEqual(oneProcess);
    expect(asking('grpo', { gpus_per_node: 0 })).toHaveProperty('recipe');
  });
});

describe('what a job’s time grows with', () => {
  it.each([
    ['records of a step', 'llamafactory', { batch_size: 4, gradient_accumulation: 3 }, 12],
    ['answers of a step', 'trl', { prompts_per_step: 4, generations: 8, gradient_accumulation: 2 }, 32],
    ['rows', 'transformers', { batch_size: 4 }, 1],
    ['answers, and fewer rows for each process', 'vllm', { samples: 7, processes: 8 }, 0.5],
    ['nothing known of an earlier job', 'llamafactory', {}, 1],
  ] as const)('%s', (_what, engine, params, units) => {
    expect(engines[engine].unitsEach(params)).toBe(units);
  });
});

describe('GRPO on Ray', () => {
  const ray = (changes: object) =>
    checkRecipe({
      ...recipe,
      grpo: {
        ...recipe.grpo,
        engine: 'verl',
        prompts_per_step: 16,
        generations: 8,
        micro_batch_size: 4,
        max_prompt_length: 1024,
        ...changes,
        resources: { ...recipe.grpo.resources, nodes: 2, gpus_per_node: 8, cpus: 32 },
      },
    });
  const faults = (changes: object) => {
    const checked = ray(changes);
    return 'faults' in checked ? checked.faults : [];
  };

  it('has the engine’s parameters filled in, nodes and processes among them', () => {
    const checked = ray({ verl: { 'trainer.critic_warmup': 0 } });
    if ('faults' in checked) throw new Error(checked.faults.join());
    expect(jobParams('grpo', checked.recipe)).toEqual({
      steps: 1,
      prompts_per_step: 16,
      prompts_per_update: 16,
      generations: 8,
      learning_rate: checked.recipe.grpo.learning_rate,
      temperature: 1,
      beta: 0,
      epsilon: 0.2,
      epsilon_high: 0.28,
      max_prompt_length: 1024,
      max_completion_length: checked.recipe.grpo.max_completion_length,
      save_steps: checked.recipe.grpo.save_steps,
      save_limit: 3,
      validate_steps: 0,
      reward: { shape: 'l1', format_weight: 1, floor: 0.05 },
      micro_batch_size: 4,
      tensor_parallel: 1,
      gpu_memory_utilization: 0.6,
      nodes: 2,
      processes_per_node: 8,
      settings: { 'trainer.critic_warmup': 0 },
    });
    expect(engines.verl.halved({ micro_batch_size: 4 }, 1)).toEqual({ micro_batch_size: 2 });
  });

  it.each([
    ['no micro-batch', { micro_batch_size: undefined }, /grpo\.micro_batch_size: expected a whole number.*verl needs/],
    ['no length of prompts', { max_prompt_length: undefined }, /grpo\.max_prompt_length: .*verl needs/],
    ['another engine’s keys', { easyr1: { 'worker.x': 1 } }, /grpo\.easyr1: expected no such key where engine is verl/],
    ['processes beside GPUs', { processes_per_node: 2 }, /grpo\.processes_per_node: .*each GPU has one process, got 2/],
    [
      'updates that do not make up a step',
      { prompts_per_update: 12, micro_batch_size: 2 },
      /prompts_per_update: expected a divisor of prompts_per_step, 16/,
    ],
    [
      'answers that cannot be shared out',
      { prompts_per_step: 3 },
      /prompts_per_step: .*is a multiple of the processes, 16, got 3/,
    ],
    ['a micro-batch that does not divide', { micro_batch_size: 3 }, /micro_batch_size: expected a divisor of 8, /],
    ['GPUs of a model that span nodes', { tensor_parallel: 3 }, /tensor_parallel: expected a divisor of 8, /],
    ['keys that are no names', { verl: { 'a b': 1 } }, /grpo\.verl/],
  ])('with %s is refused', (_what, changes, message) => {
    expect(faults(changes)).toEqual([expect.stringMatching(message)]);
  });

  it('has fields that TRL refuses, and a micro-batch that TRL accumulates', () => {
    const trl = (changes: object) => checkRecipe({ ...recipe, grpo: { ...recipe.grpo, ...changes } });
    expect(trl({ save_limit: 3 })).toEqual({
      faults: ['recipe.grpo.save_limit: expected no such key where engine is trl, got 3'],
    });
    const answers = recipe.grpo.prompts_per_step * recipe.grpo.generations;
    expect(trl({ micro_batch_size: answers + 1 })).toHaveProperty('faults');
    const whole = { ...recipe, grpo: { ...recipe.grpo, micro_batch_size: answers / 2 } };
    expect(jobParams('grpo', whole)).toMatchObject({ gradient_accumulation: 2 });
    expect(jobParams('grpo', whole)).not.toHaveProperty('micro_batch_size');
  });
});

describe('predictions', () => {
  const predict = (resources: object, changes: object = {}) => ({
    ...recipe,
    predict: { ...recipe.predict, ...changes, resources: { ...recipe.predict.resources, ...resources } },
  });

  it('are one process on one GPU, without srun, and one on each GPU of several', () => {
    expect(jobParams('predict-sft', predict({ gpus_per_node: 1 }))).not.toHaveProperty('processes');
    const params = jobParams('predict-sft', predict({ nodes: 2, gpus_per_node: 8 }));
    expect(params).toMatchObject({ processes: 16 });
    expect(engines.transformers.ranksPerNode(params, { nodes: 2 })).toBe(8);
    expect(engines.vllm.ranksPerNode({}, { nodes: 1 })).toBeUndefined();
  });

  it('without enough CPUs for the processes of a node are refused', () => {
    expect(checkRecipe(predict({ gpus_per_node: 8, cpus: 4 }))).toEqual({
      faults: ['recipe.predict.resources.cpus: expected at least 8, one for each process of a node, got 4'],
    });
  });
});
