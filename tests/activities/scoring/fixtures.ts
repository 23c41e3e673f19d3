/** Fixtures of the tests of scoring: pictures and a table, and the answers of a job. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publishPairs } from '../../../activities/scoring/pairs-artifact.ts';
import type { NamedRow } from '../../../activities/scoring/named-pair.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { ArtifactRef } from '../../../domain/manifest.ts';
import type { Recipe } from '../../../domain/recipe.ts';
import { jsonLines, publishArtifact } from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity, makePlan, png, temporaryFolder } from '../fixtures.ts';

/** A folder with `count` edits of five sources. */
export async function picturesIn(count: number): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'edited'));
  for (let index = 0; index < count; index += 1) {
    if (index < 5) await writeFile(join(folder, `s${index}.png`), png(8 + index, 8));
    await writeFile(join(folder, 'edited', `${index}.png`), png(16 + index, 9));
  }
  return folder;
}

/** Rows of these pictures; `opinion`: of people, by place. */
export function rowsIn(folder: string, count: number, opinion?: (index: number) => number): NamedRow[] {
  return Array.from({ length: count }, (_, index) => ({
    where: `line ${index + 2}`,
    pair: {
      id: `p${index}`,
      source: join(folder, `s${index % 5}.png`),
      edited: join(folder, 'edited', `${index}.png`),
      instruction: `make it <b>blue</b>, "${index}"`,
      opinions: opinion === undefined ? {} : { mos: opinion(index) },
    },
  }));
}

export async function publish(
  store: ArtifactStore,
  rows: readonly NamedRow[],
  recipe: Recipe = makePlan('/data').recipe,
): Promise<ArtifactRef> {
  const { env } = activityEnvironment();
  const signal = new AbortController().signal;
  return inActivity(env, () => publishPairs({ store, run: 'score-1', recipe, rows, signal, report: () => undefined }));
}

/** Answers of the job: what `says` gives for each pair, as text of the greedy answer and of two samples. */
export async function answersOf(
  store: ArtifactStore,
  numbers: readonly number[],
  says: (n: number) => [greedy: string, first: string, second: string],
): Promise<ArtifactRef> {
  const rows = numbers.map((n) => {
    const [greedy, ...samples] = says(n).map((text) => ({ text, tokens: 5 }));
    return { id: String(n), mos: null, greedy, sampled: samples[0], samples };
  });
  return publishArtifact(store, 'predict-pairs', { files: { 'predictions.jsonl': jsonLines(rows) } });
}

export const answer = (score: number) => `<think>It is blue, {${score}}.</think>\n<answer>${score.toFixed(2)}</answer>`;
