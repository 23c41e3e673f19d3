/**
 * Predictions: reads what a prediction job wrote and compares it with the dataset. Every pair of the test split must be there exactly once,
 * with its MOS. Anything else fails the postcondition, with the file's name and some of the ids.
 */
import { join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import { refuse } from '../failure.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';

const answer = z.object({ text: z.string(), tokens: z.int().min(0) });
/** `samples`: all sampled answers where the recipe asked for several. `sampled` is the first of them. */
const predictionSchema = z.object({
  id: z.string(),
  mos: z.number(),
  greedy: answer,
  sampled: answer,
  samples: z.array(answer).min(2).max(64).optional(),
});
export type Prediction = z.output<typeof predictionSchema>;

/** 100,000 rows with answers of 1,000 tokens have less. A string holds no more either. */
export const maxPredictionsBytes = 512 * 1024 * 1024 - 1024;

/** Predictions in the test split's order. */
export async function readPredictions(artifact: ArtifactRef, test: readonly Pair[]): Promise<Prediction[]> {
  const path = join(artifact.path, 'predictions.jsonl');
  const rows = parseLines(path, await readRegularText(path, maxPredictionsBytes, { noFollow: true }), predictionSchema);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const faults = findFaults(rows, byId, test);
  if (faults.length > 0) {
    const got = `got ${rows.length} rows: ${faults.join('; ')}`;
    throw postconditionFailed(
      `${path}: expected one row with its MOS for each of the ${test.length} test pairs, ${got}`,
    );
  }
  return test.flatMap((pair) => byId.get(pair.id) ?? []);
}

/** Rows of a JSON Lines text. A bad line fails the postcondition with its number. */
export function parseLines<T>(path: string, text: string, schema: z.ZodType<T>): T[] {
  return text
    .split('\n')
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => {
      const row = schema.safeParse(parseJson(line));
      if (row.success) return row.data;
      throw postconditionFailed(`${path}: line ${number} is no such row: ${z.prettifyError(row.error)}`);
    });
}

export function postconditionFailed(message: string): ApplicationFailure {
  return refuse('PostconditionFailed', message);
}

function findFaults(rows: readonly Prediction[], byId: Map<string, Prediction>, test: readonly Pair[]): string[] {
  const mos = new Map(test.map((pair) => [pair.id, pair.mos.overall]));
  const rowsOf = new Map<string, number>();
  for (const { id } of rows) rowsOf.set(id, (rowsOf.get(id) ?? 0) + 1);
  const kinds: [string, string[]][] = [
    ['missing', [...mos.keys()].filter((id) => !byId.has(id))],
    ['not of the test split', [...byId.keys()].filter((id) => !mos.has(id))],
    ['twice', [...rowsOf].filter(([, count]) => count > 1).map(([id]) => id)],
    ['with another MOS', rows.filter((row) => mos.has(row.id) && mos.get(row.id) !== row.mos).map((row) => row.id)],
  ];
  return kinds
    .filter(([, found]) => found.length > 0)
    .map(([kind, found]) => `${found.length} ${kind} (${some(found)})`);
}

function some(ids: readonly string[]): string {
  return ids.length > 3 ? `${ids.slice(0, 3).join(', ')}, …` : ids.join(', ');
}
