/**
 * The champion on disk: `<name>.json`, replaced atomically, and `<name>.history.jsonl`, the champions before it, oldest
 * first, appended and synced. Both are checked by zod; what cannot be read is an error that names the file.
 */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { readIfPresent, syncFolder, writeFileAtomic } from '../durable-file.ts';

const artifactSchema = z.object({ key: z.string().min(1), path: z.string().min(1) });

const championSchema = z.object({
  schema: z.literal(1),
  run: z.string().min(1),
  /** The GRPO artifact; the Hugging Face folder is `model/` in it. */
  model: artifactSchema,
  /** Where its judged answers are, for the next comparison. */
  evaluation: artifactSchema,
  /** Its answers to the test split, for a person to look at. */
  predictions: artifactSchema,
  main_score: z.number().nullable(),
  decided_at: z.string(),
  /** What the gate said when it was promoted: a retried activity gives the same answer. */
  decision: z.object({
    passed: z.boolean(),
    reasons: z.array(z.string()),
    mainScore: z.number().nullable(),
    champion: z.string().nullable(),
  }),
});
export type Champion = z.output<typeof championSchema>;

/** The champion, or undefined if there was never one. Throws `DataInvalid` naming the file if it cannot be read. */
export async function readChampion(path: string): Promise<Champion | undefined> {
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  return parse(text, (why) => `champion file "${path}": expected a champion's record, ${why}`);
}

/** Replaces the champion: the old record or the new one is there, never half of it. */
export async function writeChampion(path: string, champion: Champion): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(championSchema.parse(champion), null, 2)}\n`);
}

/** Appends a champion to the history of `path`, unless it is there already. A half-written last line is closed first. */
export async function keepInHistory(path: string, champion: Champion): Promise<void> {
  const history = historyPath(path);
  const text = (await readIfPresent(history)) ?? '';
  const line = JSON.stringify(champion);
  if (text.split('\n').includes(line)) return;
  const file = await open(history, 'a', 0o640);
  try {
    await file.appendFile(`${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dirname(history));
}

export function historyPath(path: string): string {
  return path.replace(/\.json$/, '.history.jsonl');
}

function parse(text: string, message: (why: string) => string): Champion {
  const refuse = (why: string) => ApplicationFailure.nonRetryable(message(why), 'DataInvalid');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refuse(`got text that is no JSON (${text.length} characters)`);
  }
  const read = championSchema.safeParse(value);
  if (!read.success) throw refuse(z.prettifyError(read.error));
  return read.data;
}
