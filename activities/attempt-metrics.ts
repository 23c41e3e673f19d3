/**
 * Metrics of attempts: the newest numbers of a growing `metrics.jsonl` for heartbeats, and all attempts stitched into the
 * one file of the artifact (contracts.md §7). A line that cannot be read is skipped: numbers inform, they do not decide.
 */
import { join } from 'node:path';
import { type MetricsRow, metricsRowSchema } from '../domain/manifest.ts';
import { attemptFiles } from '../domain/names.ts';
import { medianStepSeconds, stitchMetrics } from '../domain/stitch.ts';
import { readLinesFrom } from './attempt-files.ts';

/** Steps that the shown reward and answer length are the mean of: single steps wobble with the drawn prompts. */
const window = 8;

export class MetricsTail {
  readonly #path: string;
  #offset = 0;
  readonly #rows: MetricsRow[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads what was appended since the last call. */
  async read(): Promise<void> {
    const { lines, offset } = await readLinesFrom(this.#path, this.#offset);
    if (offset < this.#offset) this.#rows.length = 0;
    this.#offset = offset;
    this.#rows.push(...lines.flatMap(parseRow));
  }

  /** What was read so far, oldest first. */
  get rows(): readonly MetricsRow[] {
    return this.#rows;
  }

  get newest(): MetricsRow | undefined {
    return this.#rows.at(-1);
  }

  get reward(): number | undefined {
    return this.#mean('reward');
  }

  get responseLength(): number | undefined {
    return this.#mean('response_length');
  }

  /** Seconds to go, from the run's own median step; undefined before there are two steps. */
  etaSeconds(totalSteps: number | undefined): number | undefined {
    const step = this.newest?.step;
    const median = medianStepSeconds(this.#rows);
    if (step === undefined || totalSteps === undefined || median === undefined) return undefined;
    return Math.max(0, Math.round((totalSteps - step) * median));
  }

  #mean(name: 'reward' | 'response_length'): number | undefined {
    const values = this.#rows.flatMap((row) => row[name] ?? []).slice(-window);
    if (values.length === 0) return undefined;
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }
}

/** Text of the stitched metrics of these attempts' folders, oldest first. */
export async function stitchedMetrics(directories: string[]): Promise<string> {
  const attempts: MetricsRow[][] = [];
  for (const directory of directories) attempts.push(await readMetrics(directory));
  return stitchMetrics(attempts)
    .map((row) => `${JSON.stringify(row)}\n`)
    .join('');
}

/** All readable rows of one attempt. */
export async function readMetrics(directory: string): Promise<MetricsRow[]> {
  const { lines } = await readLinesFrom(join(directory, attemptFiles.metrics), 0);
  return lines.flatMap(parseRow);
}

function parseRow(line: string): MetricsRow[] {
  try {
    const parsed = metricsRowSchema.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
