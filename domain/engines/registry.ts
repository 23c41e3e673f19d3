/** All engines by the name that recipes, `attempt.json` and artifact keys give them, and which of them do which kind of work. */
import type { JobKind } from '../names.ts';
import { llamaFactory } from './llamafactory.ts';
import { transformers, vllm } from './prediction.ts';
import { rayRules } from './ray.ts';
import { trl } from './trl.ts';

export const engines = {
  llamafactory: llamaFactory,
  trl,
  easyr1: rayRules('easyr1'),
  verl: rayRules('verl'),
  transformers,
  vllm,
} as const;
export type EngineName = keyof typeof engines;
export const engineNames = [
  'llamafactory',
  'trl',
  'easyr1',
  'verl',
  'transformers',
  'vllm',
] as const satisfies EngineName[];

/** Versions in an environment, by package. */
export type EngineVersions = Record<string, string>;

/** Engines that do this kind of work. The first one does it where the recipe is silent. */
export const enginesOfKind = {
  tokenize: ['llamafactory'],
  sft: ['llamafactory'],
  grpo: ['trl', 'easyr1', 'verl'],
  predict: ['transformers', 'vllm'],
} as const satisfies Record<JobKind, readonly EngineName[]>;
export type EngineOf<Kind extends JobKind> = (typeof enginesOfKind)[Kind][number];

/** The engine that a recipe's section of this kind chooses. Recipes of earlier releases choose none. */
export function engineOf<Kind extends JobKind>(
  kind: Kind,
  { engine }: { engine?: EngineOf<Kind> | undefined },
): EngineOf<Kind> {
  return engine ?? enginesOfKind[kind][0];
}
