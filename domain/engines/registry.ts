/** All engines by the name that `attempt.json` and artifact keys give them, and which one does which kind of work. */
import type { JobKind } from '../names.ts';
import { llamaFactory } from './llamafactory.ts';
import { transformers } from './transformers.ts';
import { trl } from './trl.ts';

export const engines = { llamafactory: llamaFactory, trl, transformers } as const;
export type EngineName = keyof typeof engines;
export const engineNames = ['llamafactory', 'trl', 'transformers'] as const satisfies EngineName[];

/** Versions in an environment, by package. */
export type EngineVersions = Record<string, string>;

/** One engine for each kind: a recipe cannot choose. */
export const engineOfKind = { sft: 'llamafactory', grpo: 'trl', predict: 'transformers' } as const satisfies Record<
  JobKind,
  EngineName
>;
