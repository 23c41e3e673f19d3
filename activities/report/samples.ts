/**
 * Sample critiques, chosen by rule and not by hand: the smallest, the middle and the largest errors of the greedy answers
 * on the test split. An answer that cannot be read has the largest error. Pictures are embedded as data URLs.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import { parseAnswer } from '../../domain/critique/score.ts';
import { FileFault, readRegularFile } from '../../files/regular-file.ts';
import { hasCode } from '../store/durable-file.ts';
import type { Prediction } from '../evaluation/predictions.ts';
import { dataUrl, readImage } from '../dataset/image.ts';
import type { Picture, Sample } from './data.ts';

const ends = 3;
const middle = 4;
/** Larger pictures would make the page too large to send around. They are named instead. */
const maxImageBytes = 1.5 * 1024 * 1024;

export interface Choice {
  row: Prediction;
  predicted: number | null;
  why: string;
}

/** The three best, four middle and three worst by |predicted − MOS|, ties by id. Fewer than ten rows are all shown once. */
export function chooseSamples(rows: readonly Prediction[]): Choice[] {
  const judged = rows.map((row) => {
    const read = parseAnswer(row.greedy.text);
    const predicted = read.kind === 'scored' ? read.score : null;
    return { row, predicted, error: predicted === null ? Infinity : Math.abs(predicted - row.mos) };
  });
  const sorted = judged.toSorted((a, b) => compare(a.error, b.error) || compare(a.row.id, b.row.id));
  const half = Math.max(ends, Math.floor((sorted.length - middle) / 2));
  const place = (index: number) => {
    if (index < ends) return 'among the smallest errors';
    if (index >= Math.max(sorted.length - ends, half + middle)) return 'among the largest errors';
    return index >= half && index < half + middle ? 'at the median error' : undefined;
  };
  return sorted.flatMap(({ row, predicted }, index) => {
    const why = place(index);
    return why === undefined ? [] : [{ row, predicted, why }];
  });
}

export async function loadSamples(
  dataset: ArtifactRef,
  test: readonly Pair[],
  rows: readonly Prediction[],
  places: ReadonlyMap<string, number>,
): Promise<Sample[]> {
  const pairs = new Map(test.map((pair) => [pair.id, pair]));
  const found: Sample[] = [];
  for (const { row, predicted, why } of chooseSamples(rows)) {
    const pair = pairs.get(row.id);
    if (pair === undefined) continue;
    const { id, instruction, source_image, edited_image } = pair;
    const source = await picture(dataset.path, source_image);
    const edited = await picture(dataset.path, edited_image);
    found.push({
      id,
      row: places.get(id) ?? 0,
      instruction,
      mos: row.mos,
      predicted,
      answer: row.greedy.text,
      source,
      edited,
      why,
    });
  }
  return found;
}

/** Its kind is read from its bytes. A file that is no PNG, JPEG or WebP never gets into the page. */
async function picture(folder: string, path: string): Promise<Picture> {
  const full = join(folder, path);
  try {
    const { size } = await stat(full);
    if (size > maxImageBytes) return { missing: `${path}, ${(size / 1024 / 1024).toFixed(1)} MB, not embedded` };
    const bytes = await readRegularFile(full, maxImageBytes);
    const facts = await readImage(bytes);
    if ('fault' in facts) return { missing: `${path}: ${facts.fault}` };
    const { kind, width, height } = facts;
    return { url: dataUrl({ kind, bytes }), width, height };
  } catch (error) {
    if (error instanceof FileFault) return { missing: `${path} is ${error.got}` };
    if (!hasCode(error, 'ENOENT')) throw error;
    return { missing: `${path} is not there` };
  }
}

function compare<T extends number | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
