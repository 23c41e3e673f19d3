/**
 * `estimate.json` of a run: what was expected before anything was spent, for its report.
 *
 * It is replaced atomically: kill -9 while it is written leaves the one before, or none.
 */
import { join } from 'node:path';
import * as z from 'zod';
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import { stageSchema } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import { readIfPresent, writeFileAtomic } from '../store/durable-file.ts';
import { parseJson } from '../../files/json.ts';

const estimateName = 'estimate.json';
const count = z.number().min(0);
const kill = z.object({
  saveSteps: count,
  stepSeconds: count.nullable(),
  alsoAtLimit: z.boolean(),
  allowedMinutes: count.nullable(),
});
const estimateSchema: z.ZodType<RunEstimate> = z.object({
  schema: z.literal(1),
  recipe: z.string(),
  dataset: z.record(z.string(), z.number()),
  stages: z.array(
    z.object({
      stage: stageSchema,
      action: z.enum(['reuse', 'make']),
      key: z.string(),
      job: z
        .object({
          steps: count.nullable(),
          rows: count.nullable(),
          seconds: count.nullable(),
          gpuHours: z.object({ expected: count.nullable(), atMost: count }),
          measuredIn: z.string().nullable(),
          kill: kill.exactOptional(),
        })
        .exactOptional(),
      synthesis: z
        .object({
          rows: count,
          answered: count,
          tokens: z.object({ input: count, images: count, output: count }),
          usd: z.object({ expected: count, atMost: count, spent: count, cap: count }),
        })
        .exactOptional(),
    }),
  ),
});

/** `root` is the store's. */
export async function writeEstimate(root: string, run: string, estimate: RunEstimate): Promise<void> {
  await writeFileAtomic(join(paths.run(root, run), estimateName), `${JSON.stringify(estimate, null, 2)}\n`);
}

/** A run's own estimate, or undefined if it has none that can be read. */
export async function readEstimate(root: string, run: string): Promise<RunEstimate | undefined> {
  const text = await readIfPresent(join(paths.run(root, run), estimateName));
  return text === undefined ? undefined : estimateSchema.safeParse(parseJson(text)).data;
}
