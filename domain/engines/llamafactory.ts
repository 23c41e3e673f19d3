/** SFT by LLaMA-Factory, which is Hugging Face's Trainer with its own data and its own arguments. */
import {
  type EngineRules,
  halvingFactor,
  type Misfit,
  numberIn,
  oneProcess,
  type Placement,
  withoutPlacement,
} from './engine.ts';
import { llamaFactoryArguments, ownedByTrainer } from './llamafactory-arguments.ts';

interface Settings extends Placement {
  batch_size: number;
  gradient_accumulation: number;
  epochs: number;
  /** Further arguments of LLaMA-Factory. */
  llamafactory: Readonly<Record<string, string | number | boolean>>;
}

export const llamaFactory: EngineRules<Settings> = {
  kind: 'sft',
  reach: oneProcess,
  params: (settings) => ({ ...withoutPlacement(settings) }),
  planned: (settings, { records }) => ({ steps: stepsOf(records, settings), rows: null }),
  unitsEach: (params) => (numberIn(params, 'batch_size') ?? 1) * (numberIn(params, 'gradient_accumulation') ?? 1),
  halved(params, times) {
    const [batch, accumulation] = [numberIn(params, 'batch_size'), numberIn(params, 'gradient_accumulation')];
    if (batch === undefined || accumulation === undefined || times === 0) return params;
    const factor = halvingFactor(batch, times);
    return { ...params, batch_size: batch / factor, gradient_accumulation: accumulation * factor };
  },
  misfits: ({ llamafactory }) => Object.entries(llamafactory).flatMap(([key, input]) => misfitOf(key, input)),
};

/** Trainer takes ceil(records / batch) batches a pass, then divides them by the accumulation. At least one step an epoch. */
function stepsOf(records: number, { batch_size: batch, gradient_accumulation: accumulation, epochs }: Settings) {
  const batches = Math.ceil(records / batch);
  const stepsPerEpoch = Math.max(1, Math.ceil(batches / accumulation));
  return Math.ceil(epochs * stepsPerEpoch);
}

function misfitOf(key: string, input: unknown): Misfit[] {
  const path = ['llamafactory', key];
  if (ownedByTrainer.has(key)) return [{ path, input, message: 'expected no such key, which the trainer sets itself' }];
  if (llamaFactoryArguments.has(key)) return [];
  return [{ path, input, message: 'expected an argument that LLaMA-Factory 0.9.5 knows' }];
}
