/** Answers of the job of a scoring, in the order of its pairs. Every pair that was asked about must be there once; anything else fails the postcondition. */
import { join } from 'node:path';
import * as z from 'zod';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { maxPredictionsBytes, parseLines, postconditionFailed } from '../evaluation/predictions.ts';
import type { KeptPair } from './pairs-artifact.ts';

const answer = z.object({ text: z.string(), tokens: z.int().min(0) });
const rowSchema = z.object({
  id: z.string(),
  greedy: answer,
  sampled: answer,
  samples: z.array(answer).min(2).max(64).optional(),
});
export type PairAnswers = z.output<typeof rowSchema>;

/** By the pairs' own numbers. */
export async function readAnswers(
  predictions: ArtifactRef,
  pairs: readonly KeptPair[],
): Promise<ReadonlyMap<number, PairAnswers>> {
  const path = join(predictions.path, 'predictions.jsonl');
  const rows = parseLines(path, await readRegularText(path, maxPredictionsBytes, { noFollow: true }), rowSchema);
  const found = new Map(rows.map((row) => [Number(row.id), row]));
  const asked = pairs.filter(({ fault }) => fault === undefined);
  const missing = asked.filter(({ n }) => !found.has(n)).map(({ id }) => id);
  if (missing.length > 0 || found.size !== asked.length || rows.length !== asked.length) {
    const some = missing.slice(0, 3).join(', ');
    throw postconditionFailed(
      `${path}: expected one row for each of ${asked.length} pairs, got ${rows.length}${some === '' ? '' : `, none of ${some}`}`,
    );
  }
  return found;
}
