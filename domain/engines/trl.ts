/** GRPO by TRL's GRPOTrainer. A step is `prompts_per_step` × `generations` answers, however they are accumulated. */
import { type EngineRules, halvingFactor, type Misfit, numberIn, oneProcess, withoutPlacement } from './engine.ts';
import type { RaySettings } from './ray.ts';

/** Fields of `grpo` that mean something to the Ray engines alone. */
const ofOthers = [
  'prompts_per_update',
  'max_prompt_length',
  'tensor_parallel',
  'gpu_memory_utilization',
  'processes_per_node',
  'save_limit',
  'validate_steps',
  'max_lost_minutes',
  'easyr1',
  'verl',
] as const;

type Settings = RaySettings & { max_lost_minutes?: number | undefined };

export const trl: EngineRules<Settings> = {
  kind: 'grpo',
  incidental: ['save_steps'],
  reach: oneProcess,
  params(settings) {
    const { micro_batch_size: micro, ...params } = withoutPlacement(settings);
    const answers = settings.prompts_per_step * settings.generations;
    return micro === undefined
      ? params
      : { ...params, gradient_accumulation: Math.max(1, Math.floor(answers / micro)) };
  },
  planned: ({ steps }) => ({ steps, rows: null }),
  unitsEach: (params) => (numberIn(params, 'prompts_per_step') ?? 1) * (numberIn(params, 'generations') ?? 1),
  ranksPerNode: () => undefined,
  /** The answers of a step are split. */
  halved(params, times) {
    const [prompts, generations] = [numberIn(params, 'prompts_per_step'), numberIn(params, 'generations')];
    if (prompts === undefined || generations === undefined || times === 0) return params;
    const accumulation = numberIn(params, 'gradient_accumulation') ?? 1;
    const factor = halvingFactor((prompts * generations) / accumulation, times);
    return { ...params, gradient_accumulation: accumulation * factor };
  },
  misfits(settings) {
    const misfits: Misfit[] = ofOthers.flatMap((field) => {
      const input = settings[field];
      const message = 'expected no such key where engine is trl';
      return input === undefined ? [] : [{ path: [field], input, message }];
    });
    const { micro_batch_size: micro, prompts_per_step: prompts, generations } = settings;
    const answers = prompts * generations;
    if (micro !== undefined && answers % micro !== 0) {
      const message = `expected a divisor of ${answers}, prompts_per_step × generations`;
      misfits.push({ path: ['micro_batch_size'], input: micro, message });
    }
    return misfits;
  },
};
