/** What is run on both sides. */
import type { Command } from './timed.ts';

export interface Contest {
  /** The engine's. */
  name: string;
  /** In words. */
  work: string;
  /** Are all its processes waited for? Of those that are not, as some of Ray's, no CPU seconds are known. */
  isWaitedFor: boolean;
  ours: (folder: string) => Side;
  bare: (folder: string) => Side;
}

export interface Side {
  command: Command;
  /** What the work came to, once it is done: equal on both sides. */
  end: () => string;
}

/** Of both sides: what a node of the cluster would set, so that neither looks for a network or takes other threads. */
export const environment = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'C.UTF-8',
  OMP_NUM_THREADS: '1',
  HF_HUB_OFFLINE: '1',
  TRANSFORMERS_OFFLINE: '1',
  TOKENIZERS_PARALLELISM: 'false',
  TORCHDYNAMO_DISABLE: '1',
} as const;
