/** GRPO by TRL's GRPOTrainer. A step is `prompts_per_step` × `generations` answers, however they are accumulated. */
import { type EngineRules, halvingFactor, numberIn, oneProcess, type Placement, withoutPlacement } from './engine.ts';

interface Settings extends Placement {
  steps: number;
}

export const trl: EngineRules<Settings> = {
  kind: 'grpo',
  reach: oneProcess,
  params: (settings) => ({ ...withoutPlacement(settings) }),
  planned: ({ steps }) => ({ steps, rows: null }),
  unitsEach: (params) => (numberIn(params, 'prompts_per_step') ?? 1) * (numberIn(params, 'generations') ?? 1),
  /** The answers of a step are split. The recipe has no accumulation of its own. */
  halved(params, times) {
    const [prompts, generations] = [numberIn(params, 'prompts_per_step'), numberIn(params, 'generations')];
    if (prompts === undefined || generations === undefined || times === 0) return params;
    const accumulation = numberIn(params, 'gradient_accumulation') ?? 1;
    const factor = halvingFactor((prompts * generations) / accumulation, times);
    return { ...params, gradient_accumulation: accumulation * factor };
  },
  misfits: () => [],
};
