/**
 * Pins: artifacts that a person wants kept, whatever nobody else needs. One file each, `<store>/pins/<key>.json`, replaced atomically.
 *
 * kill -9 before the rename: it is not pinned, and pinning is asked again. After it: pinning again changes the words only. To unpin what is not pinned
 * does nothing. Two who pin at once: it is pinned, with the words of the second. `artifacts gc` reads the pins when it begins, and once more before it deletes.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Pin } from '../../domain/inquiries.ts';
import { stageSchema } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { parseJson } from '../../files/json.ts';
import { readIfPresent, syncFolder, writeFileAtomic } from './durable-file.ts';

const pinSchema: z.ZodType<Pin> = z.object({
  stage: stageSchema,
  key: z.string().regex(/^[0-9a-f]{32}$/),
  by: z.string(),
  reason: z.string(),
  at: z.string(),
});

export async function pin(root: string, one: Pin): Promise<void> {
  const folder = paths.pins(root);
  if ((await mkdir(folder, { recursive: true, mode: 0o750 })) !== undefined) await syncFolder(root);
  await writeFileAtomic(join(folder, `${one.key}.json`), `${JSON.stringify({ schema: 1, ...pinSchema.parse(one) })}\n`);
}

/** The pin that was there, or undefined. */
export async function unpin(root: string, key: string): Promise<Pin | undefined> {
  const found = await readPin(root, key);
  const folder = paths.pins(root);
  await rm(join(folder, `${key}.json`), { force: true });
  if (found !== undefined) await syncFolder(folder);
  return found;
}

/** All pins by key. A file that cannot be read as one still keeps its artifact: its words are unknown. */
export async function readPins(root: string): Promise<Map<string, Pin | undefined>> {
  const keys = [...(await namesIn(paths.pins(root)))].flatMap((name) => /^([0-9a-f]{32})\.json$/.exec(name)?.[1] ?? []);
  const found = new Map<string, Pin | undefined>();
  for (const key of keys) found.set(key, await readPin(root, key));
  return found;
}

async function readPin(root: string, key: string): Promise<Pin | undefined> {
  const text = await readIfPresent(join(paths.pins(root), `${key}.json`));
  return text === undefined ? undefined : pinSchema.safeParse(parseJson(text)).data;
}
