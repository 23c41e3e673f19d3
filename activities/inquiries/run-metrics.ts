/** Metrics of a stage in pages: those of all attempts stitched, of the runs that this one resumes too, else those of the artifact that it reused. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import { stitchMetrics } from '../../domain/health/stitch.ts';
import type { MetricsRow } from '../../domain/manifest.ts';
import { type JobStage, paths } from '../../domain/names.ts';
import { findAttemptKey } from '../jobs/attempt-key.ts';
import { readMetrics } from '../jobs/attempt-metrics.ts';
import { chainOf } from '../resuming/earlier-runs.ts';
import type { StoreDeps } from '../store/deps.ts';
import { artifactKeySchema, type Answerer, jobStage, runName, waitSeconds } from './answerer.ts';
import { foldersOf } from './run-attempts.ts';

const pageBytes = 64 * 1024;
/** Pause between two looks while a row is waited for, ms. */
const pauseMs = 2000;

export function answerMetrics(deps: StoreDeps): Answerer<'metrics'> {
  return {
    input: z.strictObject({
      run: runName,
      stage: jobStage,
      key: artifactKeySchema.nullable(),
      after: z.number(),
      waitSeconds,
    }),
    answer: async ({ run, stage, key, after, waitSeconds: seconds }) => {
      const signal = Context.current().cancellationSignal;
      for (const until = performance.now() + seconds * 1000; ;) {
        const { rows, attempts } = await rowsOf(deps, run, stage, key);
        const page = pageOf(rows.filter(({ step }) => step > after));
        if (page.rows.length > 0 || performance.now() >= until) return { ...page, attempts };
        await sleep(pauseMs, undefined, { signal });
      }
    },
  };
}

async function rowsOf(
  deps: StoreDeps,
  run: string,
  stage: JobStage,
  key: string | null,
): Promise<{ rows: MetricsRow[]; attempts: number }> {
  const { root } = deps.store;
  const own = await foldersOf(root, run, stage);
  if (own.length === 0) {
    return { rows: key === null ? [] : await readMetrics(paths.artifact(root, stage, key)), attempts: 0 };
  }
  const earlier = await earlierFolders(deps, run, stage, own.at(-1)?.directory ?? '');
  const attempts: MetricsRow[][] = [];
  for (const directory of [...earlier, ...own.map((one) => one.directory)]) attempts.push(await readMetrics(directory));
  return { rows: stitchMetrics(attempts), attempts: attempts.length };
}

/** Attempts of the runs that this one resumes, at the same artifact, oldest first. */
async function earlierFolders(deps: StoreDeps, run: string, stage: JobStage, newest: string): Promise<string[]> {
  const key = await findAttemptKey(newest);
  if (key.kind !== 'read') return [];
  const found: string[] = [];
  for (const earlier of (await chainOf(deps, run)).slice(1).toReversed()) {
    for (const { directory } of await foldersOf(deps.store.root, earlier, stage)) {
      const theirs = await findAttemptKey(directory);
      if (theirs.kind === 'read' && theirs.value.key === key.value.key) found.push(directory);
    }
  }
  return found;
}

/** As many rows as fit; the first one always, since a row is far smaller than a page. */
function pageOf(rows: readonly MetricsRow[]): { rows: MetricsRow[]; more: boolean } {
  const page: MetricsRow[] = [];
  for (let bytes = 0; page.length < rows.length;) {
    const row = rows[page.length];
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    if (row === undefined || bytes > pageBytes) break;
    page.push(row);
  }
  return { rows: page, more: page.length < rows.length };
}
