/** What attempts of a run leave on the test's stack. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';

const row = z.object({
  step: z.number(),
  time: z.number(),
  loss: z.number(),
  grad_norm: z.number(),
  reward: z.number(),
  validation_reward: z.number().optional(),
});
export type Row = z.output<typeof row>;
const outcome = z.object({ exit_code: z.number(), signal: z.string().nullable() });
const manifest = z.object({ made_by: z.object({ run: z.string() }) });

/** Rows of a metrics.jsonl, as far as it is written. */
export async function rowsOf(folder: string): Promise<Row[]> {
  const text = await readFile(join(folder, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => row.parse(JSON.parse(line)));
}

export async function outcomeOf(attempt: string): Promise<z.output<typeof outcome>> {
  return outcome.parse(JSON.parse(await readFile(join(attempt, 'outcome.json'), 'utf8')));
}

export async function until(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not see within ${seconds} s: ${what}`);
    await sleep(100);
  }
}

/** The folder of the artifact that a run made in a stage. */
export async function artifactOf(store: string, stage: string, run: string): Promise<string> {
  for (const key of await readdir(join(store, 'artifacts', stage))) {
    const folder = join(store, 'artifacts', stage, key);
    if (manifest.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'))).made_by.run === run)
      return folder;
  }
  throw new Error(`run ${run} has made no artifact of stage ${stage}`);
}
