/**
 * Metrics of attempts: the newest numbers of a growing `metrics.jsonl` for heartbeats, and all attempts stitched into the
 * one file of the artifact (docs/CONTRACTS.md §7). A line that cannot be read is skipped: numbers inform, they do not decide.
 */
import { type MetricsRow, metricsRowSchema } from '../../domain/manifest.ts';
import { attemptFiles } from '../../domain/names.ts';
import { Pace, type RowPace } from '../../domain/jobs/pace.ts';
import { stitchMetrics } from '../../domain/health/stitch.ts';
import { whenListed } from '../../files/fresh-look.ts';
import { readLinesFrom } from './attempt-files.ts';
import { systemCode } from '../failure.ts';
import { hasCode } from '../store/durable-file.ts';
import { parseJson } from '../../files/json.ts';

/** The shown reward and answer length are means over so many steps: single steps vary with the drawn prompts. */
const window = 8;

/** Reads a growing file and looks at each row once. */
export class MetricsTail {
  readonly #path: string;
  #offset = 0;
  #tail: Buffer | undefined;
  #pace = new Pace();
  #newest: MetricsRow | undefined;
  #rewards: number[] = [];
  #lengths: number[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** False while the file server does not let anybody read: silence is no evidence against the job then. */
  isReadable = true;

  /** Reads what was appended since the last call. Call it when the file is listed. A file that is not seen yet, or cannot be read now, has no new rows. */
  async read(): Promise<void> {
    const read = await readLinesFrom(this.#path, this.#offset, this.#tail).catch((error: unknown) => {
      // Numbers inform: without them the job is watched for its end.
      if (systemCode(error) === undefined) throw error;
      this.isReadable = hasCode(error, 'ENOENT') || hasCode(error, 'ESTALE');
      return undefined;
    });
    if (read === undefined) return;
    this.isReadable = true;
    if (read.again) this.#forget();
    this.#offset = read.offset;
    this.#tail = read.tail;
    for (const row of rowsOf(read.lines)) this.#take(row);
  }

  /** How many rows there are, and how fast they come. */
  get pace(): RowPace {
    return this.#pace;
  }

  get newest(): MetricsRow | undefined {
    return this.#newest;
  }

  get reward(): number | undefined {
    return mean(this.#rewards);
  }

  get responseLength(): number | undefined {
    return mean(this.#lengths);
  }

  /** Seconds to go, by the run's own median step. Undefined before there are two steps. */
  etaSeconds(totalSteps: number | undefined): number | undefined {
    const step = this.newest?.step;
    const median = this.#pace.stepSeconds;
    if (step === undefined || totalSteps === undefined || median === undefined) return undefined;
    return Math.max(0, Math.round((totalSteps - step) * median));
  }

  #take(row: MetricsRow): void {
    this.#pace.add(row);
    this.#newest = row;
    keepLast(this.#rewards, row.reward);
    keepLast(this.#lengths, row.response_length);
  }

  /** There is another file now, so what was read of the old one is forgotten. */
  #forget(): void {
    this.#pace = new Pace();
    this.#newest = undefined;
    this.#rewards = [];
    this.#lengths = [];
  }
}

function keepLast(values: number[], value: unknown): void {
  if (typeof value !== 'number') return;
  values.push(value);
  if (values.length > window) values.shift();
}

function mean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Text of the stitched metrics of these attempts' folders, oldest first. */
export async function stitchedMetrics(directories: string[]): Promise<string> {
  return (await stitchedRows(directories)).map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** The stitched metrics of these attempts' folders, oldest first. */
export async function stitchedRows(directories: string[]): Promise<MetricsRow[]> {
  const attempts: MetricsRow[][] = [];
  for (const directory of directories) attempts.push(await readMetrics(directory));
  return stitchMetrics(attempts);
}

/** All readable rows of one attempt. */
export async function readMetrics(directory: string): Promise<MetricsRow[]> {
  const rows = await whenListed(directory, attemptFiles.metrics, readRows);
  return rows ?? [];
}

async function readRows(path: string): Promise<MetricsRow[]> {
  const rows: MetricsRow[] = [];
  for (let from = 0; ;) {
    const { lines, offset } = await readLinesFrom(path, from);
    if (offset <= from) return rows;
    rows.push(...rowsOf(lines));
    from = offset;
  }
}

/** A line that is no row is left out. */
function rowsOf(lines: readonly string[]): MetricsRow[] {
  return lines.flatMap((line) => metricsRowSchema.safeParse(parseJson(line)).data ?? []);
}
