/** Predictions by `generate` of Hugging Face's transformers, with one greedy and one sampled answer for each row. */
import { type EngineRules, type Placement, withoutPlacement } from './engine.ts';

export const transformers: EngineRules<Placement> = {
  kind: 'predict',
  params: (settings) => ({ split: 'test', ...withoutPlacement(settings) }),
  planned: (_settings, { rows }) => ({ steps: null, rows }),
  unitsEach: () => 1,
  /** Each batch is seeded by its index, so another batch size gives other answers. */
  halved: (params) => params,
  misfits: () => [],
};
