/** How a training is spread over processes: their number, and micro-batches that make up the global batch. */
import { idleResources, type Misfit, oneProcess } from './engine.ts';

/** What the recipe says of it. Recipes of earlier releases say nothing of `deepspeed`, which is `none`. */
export interface Spread {
  batch_size: number;
  gradient_accumulation: number;
  global_batch_size?: number | undefined;
  deepspeed?: 'none' | 'zero2' | 'zero3' | undefined;
  processes_per_node?: number | undefined;
  resources: { nodes: number; gpus_per_node: number; cpus: number };
}

/** Processes of one node: one for each GPU; without GPUs what the recipe says, else one. */
export function processesPerNode({ processes_per_node: stated, resources }: Spread): number {
  return resources.gpus_per_node > 0 ? resources.gpus_per_node : (stated ?? 1);
}

/** Processes of the whole job. One without DeepSpeed, whatever the job's GPUs. */
export function processesOf(spread: Spread): number {
  if (spread.deepspeed === undefined || spread.deepspeed === 'none') return 1;
  return spread.resources.nodes * processesPerNode(spread);
}

/** Micro-batches that each process accumulates in a step. */
export function accumulationOf(spread: Spread): number {
  const { global_batch_size: whole, batch_size: batch, gradient_accumulation: stated } = spread;
  return whole === undefined ? stated : Math.max(1, Math.floor(whole / (batch * processesOf(spread))));
}

/** What does not fit together, one sentence each. */
export function spreadMisfits(spread: Spread): Misfit[] {
  const { global_batch_size: whole, batch_size: batch, processes_per_node: stated, resources } = spread;
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, field: string, input: unknown, message: string) => {
    if (!holds) misfits.push({ path: field.split('.'), input, message: `expected ${message}` });
  };
  const spreads = spread.deepspeed !== undefined && spread.deepspeed !== 'none';
  const processes = processesOf(spread);
  if (whole !== undefined) {
    const each = `batch_size × processes, ${batch} × ${processes} (${spreads ? 'nodes × processes on each' : 'deepspeed is none'})`;
    expect(whole % (batch * processes) === 0, 'global_batch_size', whole, `a multiple of ${each}`);
    const accumulation = spread.gradient_accumulation;
    const follows = 'no gradient_accumulation beside global_batch_size, from which it follows';
    expect(accumulation === 1, 'gradient_accumulation', accumulation, follows);
  }
  if (!spreads) {
    expect(
      stated === undefined,
      'processes_per_node',
      stated,
      'no such key where deepspeed is none: there is one process',
    );
    return [...misfits, ...idleResources('llamafactory without deepspeed', { reach: oneProcess }, resources)];
  }
  const needed = 'the records of one step over all processes, which deepspeed needs';
  expect(whole !== undefined, 'global_batch_size', whole, needed);
  const one = `no such key where gpus_per_node is ${resources.gpus_per_node}: each GPU has one process`;
  expect(stated === undefined || resources.gpus_per_node === 0, 'processes_per_node', stated, one);
  const each = processesPerNode(spread);
  expect(resources.cpus >= each, 'resources.cpus', resources.cpus, `at least ${each}, one for each process of a node`);
  return misfits;
}
