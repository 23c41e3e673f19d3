/** Scores: a critic's answers to one pair → its score, and how sure it is. Pure. */
import { parseAnswer } from '../critique/score.ts';

/** What a critic says of a pair. Keys are what `scores.jsonl` holds. */
export interface PairScore {
  /** Of the greedy answer, 1 to 5. null: it cannot be read. */
  score: number | null;
  /** Of each sampled answer. */
  samples: (number | null)[];
  /** Mean of the sampled scores that can be read; null without any. */
  mean: number | null;
  /** Their standard deviation (n − 1); null with fewer than two. A single critic's, so it tells how firm it is, not how right. */
  sd: number | null;
  /** What it says before its score; '' where it says nothing. */
  critique: string;
}

export function scoreOf(greedy: string, sampled: readonly string[]): PairScore {
  const read = parseAnswer(greedy);
  const samples = sampled.map(numberIn);
  const readable = samples.filter((value) => value !== null);
  const mean = readable.length === 0 ? null : sum(readable) / readable.length;
  return {
    score: read.kind === 'scored' ? read.score : null,
    samples,
    mean,
    sd: mean === null ? null : deviation(readable, mean),
    critique: read.kind === 'scored' ? read.think : '',
  };
}

function deviation(values: readonly number[], mean: number): number | null {
  if (values.length < 2) return null;
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1));
}

function numberIn(text: string): number | null {
  const read = parseAnswer(text);
  return read.kind === 'scored' ? read.score : null;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
