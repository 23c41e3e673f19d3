/** Counts after the month, from what Slurm accounted and what stands in the store. */
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { parseAttemptName } from '../../domain/names.ts';
import { slurm, where } from '../stack.ts';

export interface MonthCounts {
  /** Jobs of each run, as slurmdbd has them, by the run. */
  jobsOf: Map<string, number>;
  /** Names of attempts for which Slurm has more than one job. */
  doubled: string[];
  /** Jobs of Slurm whose attempt is not in the store. */
  strangers: string[];
  /** Artifacts that more than one completed attempt made, as `stage/key`. */
  madeTwice: string[];
  attempts: number;
  artifacts: number;
}

const keyFile = z.looseObject({ key: z.string() });
const outcomeFile = z.looseObject({ exit_code: z.number().nullable() });

export async function countMonth(): Promise<MonthCounts> {
  const rows = await slurm('sacct', '-X', '-n', '-P', '--allusers', '-S', 'now-7days', '-o', 'JobName%80,JobID');
  const names = rows.split('\n').flatMap((row) => {
    const name = row.split('|')[0] ?? '';
    return parseAttemptName(name) === undefined ? [] : [name];
  });
  const attempts = attemptsInStore();
  const known = new Set(attempts.map(({ name }) => name));
  const jobsOf = new Map<string, number>();
  for (const name of names) {
    const run = parseAttemptName(name)?.run ?? '';
    jobsOf.set(run, (jobsOf.get(run) ?? 0) + 1);
  }
  return {
    jobsOf,
    doubled: repeated(names),
    strangers: names.filter((name) => !known.has(name)),
    madeTwice: repeated(attempts.flatMap(({ made }) => (made === undefined ? [] : [made]))),
    attempts: attempts.length,
    artifacts: listing(join(where.store, 'artifacts')).reduce(
      (sum, stage) => sum + listing(join(where.store, 'artifacts', stage)).filter((key) => !key.startsWith('.')).length,
      0,
    ),
  };
}

/** Every attempt in the store; `made` is what it has made if its job ended with 0. */
function attemptsInStore(): { name: string; made: string | undefined }[] {
  const runs = join(where.store, 'runs');
  return listing(runs).flatMap((run) =>
    listing(join(runs, run, 'jobs')).flatMap((stage) =>
      listing(join(runs, run, 'jobs', stage)).map((attempt) => {
        const folder = join(runs, run, 'jobs', stage, attempt);
        const done = read(join(folder, 'outcome.json'), outcomeFile)?.exit_code === 0;
        const key = read(join(folder, 'key.json'), keyFile)?.key;
        return {
          name: `critic-${run}-${stage}-${attempt}`,
          made: done && key !== undefined ? `${stage}/${key}` : undefined,
        };
      }),
    ),
  );
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
}

function listing(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function read<T>(path: string, schema: z.ZodType<T>): T | undefined {
  return existsSync(path) ? schema.parse(JSON.parse(readFileSync(path, 'utf8'))) : undefined;
}
