/** Predictions by `generate` of Hugging Face's transformers, one greedy and one sampled answer a row. */
import { type EngineRules, type Placement, withoutPlacement } from './engine.ts';

export const transformers: EngineRules<Placement> = {
  kind: 'predict',
  params: (settings) => ({ split: 'test', ...withoutPlacement(settings) }),
  planned: (_settings, { rows }) => ({ steps: null, rows }),
  unitsEach: () => 1,
  /** Batches are seeded by their index: another batch size would give other answers. */
  halved: (params) => params,
  misfits: () => [],
};
