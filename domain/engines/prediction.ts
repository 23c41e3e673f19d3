/** Predictions: one greedy and one sampled answer for each row, by Hugging Face's transformers or by vLLM. Rows are shared out over processes. */
import { type EngineRules, type Misfit, numberIn, type Placement, withoutPlacement } from './engine.ts';

interface Settings extends Placement {
  resources: { nodes: number; gpus_per_node: number; cpus: number };
  engine?: string | undefined;
  batch_size: number;
  processes_per_node?: number | undefined;
}

/** Processes of one node: one for each GPU; without GPUs what the recipe says, else one. */
function processesPerNode({ processes_per_node: stated, resources }: Settings): number {
  return resources.gpus_per_node > 0 ? resources.gpus_per_node : (stated ?? 1);
}

/** The rules of `transformers` or `vllm`. */
function predictionRules(): EngineRules<Settings> {
  return {
    kind: 'predict',
    reach: { nodes: 64, gpusPerNode: 16 },
    params(settings) {
      const { processes_per_node: _each, ...params } = withoutPlacement(settings);
      const processes = settings.resources.nodes * processesPerNode(settings);
      return { split: 'test', ...params, ...(processes > 1 ? { processes } : {}) };
    },
    planned: (_settings, { rows }) => ({ steps: null, rows }),
    unitsEach: () => 1,
    ranksPerNode(params, { nodes }) {
      const processes = numberIn(params, 'processes');
      return processes === undefined ? undefined : processes / nodes;
    },
    /** Each batch is seeded by its index, so another batch size gives other answers. */
    halved: (params) => params,
    misfits: placeMisfits,
  };
}

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

export const transformers = predictionRules();
export const vllm = predictionRules();
