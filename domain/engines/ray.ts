/**
 * GRPO by trainers that run on Ray: EasyR1 and verl. Their jobs may have any number of GPUs and nodes. Each node has one trainer of ours, which
 * keeps its Ray node. Nodes and processes are in the parameters, since they decide how sums are rounded and which checkpoints fit.
 */
import { type EngineRules, halvingFactor, type Misfit, numberIn, type Params, type Placement } from './engine.ts';

/** Keys of the engine's own configuration: dotted names, plain values. */
export type OwnSettings = Readonly<Record<string, string | number | boolean>>;

export interface RaySettings extends Placement {
  resources: { nodes: number; gpus_per_node: number; cpus: number };
  engine?: string | undefined;
  steps: number;
  prompts_per_step: number;
  prompts_per_update?: number | undefined;
  generations: number;
  micro_batch_size?: number | undefined;
  max_prompt_length?: number | undefined;
  tensor_parallel?: number | undefined;
  gpu_memory_utilization?: number | undefined;
  processes_per_node?: number | undefined;
  save_limit?: number | undefined;
  validate_steps?: number | undefined;
  easyr1?: OwnSettings | undefined;
  verl?: OwnSettings | undefined;
}

/** Checkpoints that are kept, validation, vLLM's part of a GPU's memory: where the recipe is silent. */
const defaults = { save_limit: 3, validate_steps: 0, tensor_parallel: 1, gpu_memory_utilization: 0.6 } as const;
const needed = ['micro_batch_size', 'max_prompt_length'] as const;

/** Processes of one node: one for each GPU; without GPUs what the recipe says, else one. */
function processesPerNode({ processes_per_node: stated, resources }: RaySettings): number {
  return resources.gpus_per_node > 0 ? resources.gpus_per_node : (stated ?? 1);
}

/** The rules of `verl` or `easyr1`, which are the same but for the name of the section with the engine's own keys. */
export function rayRules(name: 'easyr1' | 'verl'): EngineRules<RaySettings> {
  return {
    kind: 'grpo',
    incidental: ['save_steps', 'save_limit', 'max_lost_minutes'],
    reach: { nodes: 64, gpusPerNode: 16 },
    params: (settings) => rayParams(name, settings),
    planned: ({ steps }) => ({ steps, rows: null }),
    unitsEach: (params) => (numberIn(params, 'prompts_per_step') ?? 1) * (numberIn(params, 'generations') ?? 1),
    ranksPerNode: () => 1,
    canFinish: true,
    /** Gradients of all micro-batches of an update are summed, so its size is the same. */
    halved(params, times) {
      const batch = numberIn(params, 'micro_batch_size');
      if (batch === undefined || times === 0) return params;
      return { ...params, micro_batch_size: batch / halvingFactor(batch, times) };
    },
    misfits: (settings) => rayMisfits(name, settings),
  };
}

function rayParams(name: 'easyr1' | 'verl', settings: RaySettings): Params {
  const { resources, threads: _threads, engine: _engine, easyr1, verl, ...stated } = settings;
  const own = name === 'verl' ? verl : easyr1;
  return {
    ...defaults,
    ...stated,
    prompts_per_update: settings.prompts_per_update ?? settings.prompts_per_step,
    nodes: resources.nodes,
    processes_per_node: processesPerNode(settings),
    ...(own === undefined || Object.keys(own).length === 0 ? {} : { settings: own }),
  };
}

function rayMisfits(name: 'easyr1' | 'verl', settings: RaySettings): Misfit[] {
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, path: string[], input: unknown, message: string) => {
    if (!holds) misfits.push({ path, input, message: `expected ${message}` });
  };
  for (const field of needed) {
    expect(settings[field] !== undefined, [field], settings[field], `a whole number, at least 1, which ${name} needs`);
  }
  const other = name === 'verl' ? 'easyr1' : 'verl';
  expect(settings[other] === undefined, [other], settings[other], `no such key where engine is ${name}`);
  const { resources, processes_per_node: stated } = settings;
  const one = `no such key where gpus_per_node is ${resources.gpus_per_node}: each GPU has one process`;
  expect(stated === undefined || resources.gpus_per_node === 0, ['processes_per_node'], stated, one);
  const each = processesPerNode(settings);
  const enough = `at least ${each}, one for each process of a node`;
  expect(resources.cpus >= each, ['resources', 'cpus'], resources.cpus, enough);
  return [...misfits, ...batchMisfits(settings, resources.nodes * each, each)];
}

/** What both trainers assert when their job runs (`validate_config` of verl, `RayPPOTrainer` of EasyR1). */
function batchMisfits(settings: RaySettings, processes: number, perNode: number): Misfit[] {
  const { prompts_per_step: prompts, generations, micro_batch_size: micro, tensor_parallel: parallel } = settings;
  const update = settings.prompts_per_update ?? prompts;
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, field: string, input: unknown, message: string) => {
    if (!holds) misfits.push({ path: [field], input, message: `expected ${message}` });
  };
  expect(prompts % update === 0, 'prompts_per_update', update, `a divisor of prompts_per_step, ${prompts}`);
  const answers = update * generations;
  const field = settings.prompts_per_update === undefined ? 'prompts_per_step' : 'prompts_per_update';
  const shared = `a number that times generations, ${generations}, is a multiple of the processes, ${processes}`;
  expect(answers % processes === 0, field, update, shared);
  if (micro !== undefined && answers % processes === 0) {
    const own = answers / processes;
    expect(
      own % micro === 0,
      'micro_batch_size',
      micro,
      `a divisor of ${own}, the answers of one process in an update`,
    );
  }
  const within = `a divisor of ${perNode}, the processes of one node`;
  expect(parallel === undefined || perNode % parallel === 0, 'tensor_parallel', parallel, within);
  return misfits;
}
