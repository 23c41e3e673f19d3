/** Predictions by `generate` of Hugging Face's transformers, with one greedy and one sampled answer for each row. */
import { type EngineRules, oneProcess, type Placement, withoutPlacement } from './engine.ts';

export const transformers: EngineRules<Placement> = {
  kind: 'predict',
  reach: oneProcess,
  params: (settings) => ({ split: 'test', ...withoutPlacement(settings) }),
  planned: (_settings, { rows }) => ({ steps: null, rows }),
  unitsEach: () => 1,
  /** Each batch is seeded by its index, so another batch size gives other answers. */
  halved: (params) => params,
  misfits: () => [],
};
