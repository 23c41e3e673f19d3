/** The result of a scoring: what is read of it, and how people see it. */
import * as z from 'zod';
import { pairsInWords } from '../../domain/scoring/scoring.ts';

const estimate = z.object({ value: z.number().nullable(), interval: z.tuple([z.number(), z.number()]).nullable() });

export const scoringResult = z.object({
  id: z.string(),
  purpose: z.enum(['score', 'evaluate']),
  /** Pairs that were named. */
  pairs: z.number(),
  /** Of them, pairs that could not be shown to the critic. */
  refused: z.number(),
  /** Pairs with a score. */
  scored: z.number(),
  /** Pairs whose answer gives no score. */
  unreadable: z.number(),
  /** Which critic, in words. */
  critic: z.string(),
  /** Agreement with people, each with a 95 % interval. null: it was not measured. */
  metrics: z.record(z.string(), estimate).nullable(),
  /** Paths as the worker sees them. */
  files: z.object({ html: z.string(), jsonl: z.string(), csv: z.string() }),
  /** The first rows, in lines. */
  summary: z.string(),
});
export type ScoringResult = z.output<typeof scoringResult>;

/** How many pairs have a score, why others have none, and where everything is. */
export function scoringLines(result: Omit<ScoringResult, 'summary'>, page?: string): string[] {
  const { pairs, refused, scored, unreadable, critic, files } = result;
  const others = [
    ...(refused === 0 ? [] : [`${refused} could not be shown to the critic`]),
    ...(unreadable === 0 ? [] : [`${unreadable} got an answer without a score`]),
  ];
  return [
    `Scored ${scored} of ${pairsInWords(pairs)}${others.length === 0 ? '' : `: ${others.join(', ')}`}`,
    `Critic:      ${critic}`,
    `Page:        ${files.html}`,
    `JSON Lines:  ${files.jsonl}`,
    `CSV:         ${files.csv}`,
    ...(page === undefined ? [] : [`Temporal UI: ${page}`]),
  ];
}
