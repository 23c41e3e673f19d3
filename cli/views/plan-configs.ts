/** The files of a plan's jobs: what Slurm and the trainer would get, and the engine's own settings. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { JobPreview } from '../../domain/estimate/estimate.ts';
import { attemptFiles } from '../../domain/names.ts';
import { CliError } from '../cli-error.ts';

/** Texts of one job by the names of their files. The engine's settings are YAML or JSON, by the name's ending. */
export function configsOf({ request, attempt, settings }: JobPreview): Record<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const texts: Record<string, string> = { 'job-request.json': json(request), [attemptFiles.manifest]: json(attempt) };
  if (settings === null) return texts;
  const { file, values } = settings;
  const text = file.endsWith('.yaml') ? stringify(values, { sortMapEntries: true, lineWidth: 0 }) : json(values);
  return { ...texts, [file]: text };
}

/** Writes `<folder>/<stage>/<file>`, replacing what has that name. Throws a CliError if the folder cannot be written. */
export async function writeConfigs(jobs: readonly JobPreview[], folder: string): Promise<void> {
  try {
    for (const job of jobs) {
      const place = join(folder, job.stage);
      await mkdir(place, { recursive: true });
      for (const [file, text] of Object.entries(configsOf(job))) await writeFile(join(place, file), text);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CliError(`--configs: expected a folder that can be written, got "${folder}" (${String(error.code)})`);
  }
}
