/**
 * SFT by LLaMA-Factory, which is Hugging Face's Trainer with its own data and its own arguments; in one process, or in several
 * under DeepSpeed. Their number is in the parameters: it decides how sums are rounded and which checkpoints fit.
 */
import { type EngineRules, halvingFactor, type Misfit, numberIn, withoutPlacement } from './engine.ts';
import { accumulationOf, processesOf, type Spread, spreadMisfits } from './processes.ts';
import { llamaFactoryArguments, ownedByTrainer } from './llamafactory-arguments.ts';

interface Settings extends Spread {
  engine?: string | undefined;
  threads: number;
  epochs: number;
  /** A job before this one (llamafactory-tokenize.ts). */
  tokenize?: unknown;
  /** Further arguments of LLaMA-Factory. */
  llamafactory: Readonly<Record<string, string | number | boolean>>;
}

export const llamaFactory: EngineRules<Settings> = {
  kind: 'sft',
  incidental: ['save_steps'],
  // Under deepspeed. spreadMisfits checks one process.
  reach: { nodes: 64, gpusPerNode: 16 },
  params(settings) {
    const {
      deepspeed,
      global_batch_size: _global,
      processes_per_node: _each,
      tokenize: _tokenize,
      ...params
    } = withoutPlacement(settings);
    const stated = { ...params, gradient_accumulation: accumulationOf(settings) };
    if (deepspeed === undefined || deepspeed === 'none') return stated;
    return { ...stated, deepspeed, processes: processesOf(settings) };
  },
  planned: (settings, { records }) => ({ steps: stepsOf(records, settings), rows: null }),
  unitsEach: (params) =>
    ['batch_size', 'gradient_accumulation', 'processes'].reduce((all, name) => all * (numberIn(params, name) ?? 1), 1),
  ranksPerNode(params, { nodes }) {
    const processes = numberIn(params, 'processes');
    return processes === undefined ? undefined : processes / nodes;
  },
  halved(params, times) {
    const [batch, accumulation] = [numberIn(params, 'batch_size'), numberIn(params, 'gradient_accumulation')];
    if (batch === undefined || accumulation === undefined || times === 0) return params;
    const factor = halvingFactor(batch, times);
    return { ...params, batch_size: batch / factor, gradient_accumulation: accumulation * factor };
  },
  misfits: (settings) => [
    ...spreadMisfits(settings),
    ...Object.entries(settings.llamafactory).flatMap(([key, input]) => misfitOf(key, input)),
  ],
};

/**
 * Trainer takes ceil(records / batch) batches a pass, deals them out to the processes (the last ones get one more, if need be), then
 * divides them by the accumulation. At least one step an epoch.
 */
function stepsOf(records: number, settings: Settings) {
  const batches = Math.ceil(Math.ceil(records / settings.batch_size) / processesOf(settings));
  const stepsPerEpoch = Math.max(1, Math.ceil(batches / accumulationOf(settings)));
  return Math.ceil(settings.epochs * stepsPerEpoch);
}

function misfitOf(key: string, input: unknown): Misfit[] {
  const path = ['llamafactory', key];
  if (ownedByTrainer.has(key)) return [{ path, input, message: 'expected no such key, which the trainer sets itself' }];
  if (llamaFactoryArguments.has(key)) return [];
  return [{ path, input, message: 'expected an argument that LLaMA-Factory 0.9.5 knows' }];
}
