/** Predictions: one greedy and some sampled answers for each row, by Hugging Face's transformers or by vLLM. Rows are shared out over processes. */
import { type EngineRules, type Misfit, numberIn, type Placement, withoutPlacement } from './engine.ts';

interface Settings extends Placement {
  resources: { nodes: number; gpus_per_node: number; cpus: number };
  processes_per_node?: number | undefined;
  samples?: number | undefined;
  max_prompt_length?: number | undefined;
  gpu_memory_utilization?: number | undefined;
}

/** Processes of one node: one for each GPU; without GPUs what the recipe says, else one. */
function processesPerNode({ processes_per_node: stated, resources }: Settings): number {
  return resources.gpus_per_node > 0 ? resources.gpus_per_node : (stated ?? 1);
}

/** The rules of both engines but for their misfits. */
const common: Omit<EngineRules<Settings>, 'misfits'> = {
  kind: 'predict',
  // Not even the number of processes: estimates read it from the keys of earlier predictions.
  incidental: [],
  reach: { nodes: 64, gpusPerNode: 16 },
  /** One sample and one process go without saying, as in the keys of earlier releases. */
  params(settings) {
    const { processes_per_node: _each, samples, ...params } = withoutPlacement(settings);
    const processes = settings.resources.nodes * processesPerNode(settings);
    return {
      split: 'test',
      ...params,
      ...(samples === undefined || samples === 1 ? {} : { samples }),
      ...(processes > 1 ? { processes } : {}),
    };
  },
  planned: (_settings, { rows }) => ({ steps: null, rows }),
  /** Pairs of answers, one greedy and one sampled, that each process gives. */
  unitsEach: (params) => (1 + (numberIn(params, 'samples') ?? 1)) / 2 / (numberIn(params, 'processes') ?? 1),
  ranksPerNode(params, { nodes }) {
    const processes = numberIn(params, 'processes');
    return processes === undefined ? undefined : processes / nodes;
  },
  /** Each batch is seeded by its index, so another batch size gives other answers. */
  halved: (params) => params,
};

function placeMisfits(settings: Settings): Misfit[] {
  const { resources, processes_per_node: stated } = settings;
  const misfits: Misfit[] = [];
  if (stated !== undefined && resources.gpus_per_node > 0) {
    const message = `expected no such key where gpus_per_node is ${resources.gpus_per_node}: each GPU has one process`;
    misfits.push({ path: ['processes_per_node'], input: stated, message });
  }
  const each = processesPerNode(settings);
  if (resources.cpus < each) {
    const message = `expected at least ${each}, one for each process of a node`;
    misfits.push({ path: ['resources', 'cpus'], input: resources.cpus, message });
  }
  return misfits;
}

export const transformers: EngineRules<Settings> = {
  ...common,
  misfits(settings) {
    const others = (['max_prompt_length', 'gpu_memory_utilization'] as const).filter(
      (key) => settings[key] !== undefined,
    );
    const message = 'expected no such key where engine is transformers: it is for vllm';
    return [...placeMisfits(settings), ...others.map((key) => ({ path: [key], input: settings[key], message }))];
  },
};

export const vllm: EngineRules<Settings> = {
  ...common,
  misfits(settings) {
    const gpus = settings.resources.gpus_per_node;
    if (gpus > 0) return placeMisfits(settings);
    return [{ path: ['resources', 'gpus_per_node'], input: gpus, message: 'expected at least 1: vllm needs GPUs' }];
  },
};
