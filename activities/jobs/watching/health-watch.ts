/**
 * Health while a job trains: its numbers and sampled answers, of all attempts so far, judged by `domain/health/running.ts`. It reads what jobs write and has no
 * side effect. A line that is late or cannot be read is seen at a later look, or never: it informs.
 */
import { dirname, join } from 'node:path';
import type * as z from 'zod';
import { judgeRunning, type RunningHealth } from '../../../domain/health/running.ts';
import { stitchMetrics } from '../../../domain/health/stitch.ts';
import type { PreparedAttempt, Unwell } from '../../../domain/jobs/job-life.ts';
import { metricsRowSchema, sampledStepSchema } from '../../../domain/manifest.ts';
import { attemptFiles } from '../../../domain/names.ts';
import { parseJson } from '../../../files/json.ts';
import { whenListed } from '../../../files/fresh-look.ts';
import { systemCode } from '../../failure.ts';
import { readLinesFrom } from '../attempt-files.ts';

/** Pause between two looks, ms: a trend needs steps, and each takes seconds. */
const everyMs = 15_000;

/** One job's watcher. `told`: kinds of signs about which nobody needs to be asked again. */
export class HealthWatch {
  readonly #attempt: PreparedAttempt;
  readonly #told: readonly string[];
  readonly #training = new TrainingHealth();
  #next = 0;

  constructor(attempt: PreparedAttempt, told: readonly string[]) {
    this.#attempt = attempt;
    this.#told = told;
  }

  /** What says that it trains sick, if it is time to look and at least one sign is of a new kind. */
  async look(now: number): Promise<Unwell | undefined> {
    if (now < this.#next) return undefined;
    this.#next = now + everyMs;
    const health = await this.#training.judge(foldersUpTo(this.#attempt)).catch((error: unknown) => {
      if (systemCode(error) !== undefined) return undefined; // a part of the numbers is no evidence: a later look may read them all
      throw error;
    });
    if (health === undefined) return undefined;
    const { verdict, signs } = health;
    const kinds = [...new Set(signs.map(({ kind }) => kind))];
    if (verdict !== 'sick' || kinds.every((kind) => this.#told.includes(kind))) return undefined;
    return { kinds, sentence: `It trains sick: ${signs.map(({ sentence }) => sentence).join('; ')}` };
  }
}

/** Health of one training as its files grow. Each line is read once. */
export class TrainingHealth {
  readonly #rows = new GrowingRows(attemptFiles.metrics, metricsRowSchema);
  readonly #answers = new GrowingRows(attemptFiles.answers, sampledStepSchema);

  /** `folders`: of its attempts, oldest first. Throws what the file system refuses. */
  async judge(folders: readonly string[]): Promise<RunningHealth> {
    return judgeRunning(await this.#rows.read(folders), await this.#answers.read(folders));
  }

  /** Bytes of the files whose rows it remembers. */
  get bytes(): number {
    return this.#rows.bytes + this.#answers.bytes;
  }
}

/** Folders of this attempt and of those before it, oldest first. */
function foldersUpTo({ directory, attempt }: PreparedAttempt): string[] {
  const earlier = Array.from({ length: attempt - 1 }, (_, index) => join(dirname(directory), `a${index + 1}`));
  return [...earlier, directory];
}

interface ReadRows<Row> {
  rows: Row[];
  offset: number;
  tail?: Buffer;
}

/** Rows of a file of several attempts, stitched. Each line is read once; a file that was replaced or begun anew is read anew. */
class GrowingRows<Row extends { step: number }> {
  readonly #name: string;
  readonly #schema: z.ZodType<Row>;
  readonly #read = new Map<string, ReadRows<Row>>();

  constructor(name: string, schema: z.ZodType<Row>) {
    this.#name = name;
    this.#schema = schema;
  }

  get bytes(): number {
    return [...this.#read.values()].reduce((sum, { offset }) => sum + offset, 0);
  }

  async read(folders: readonly string[]): Promise<Row[]> {
    for (const folder of folders) await whenListed(folder, this.#name, (path) => this.#readOn(folder, path), 0);
    return stitchMetrics(folders.map((folder) => this.#read.get(folder)?.rows ?? []));
  }

  async #readOn(folder: string, path: string): Promise<void> {
    for (;;) {
      const before: ReadRows<Row> = this.#read.get(folder) ?? { rows: [], offset: 0 };
      const { lines, offset, tail, again } = await readLinesFrom(path, before.offset, before.tail);
      const rows = lines.flatMap((line) => this.#schema.safeParse(parseJson(line)).data ?? []);
      this.#read.set(folder, { rows: again ? rows : [...before.rows, ...rows], offset, tail });
      if (offset <= before.offset && !again) return;
    }
  }
}
