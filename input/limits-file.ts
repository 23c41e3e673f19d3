/**
 * Limits file: YAML → how many jobs of a kind may be in Slurm at a time. The worker reads it when it starts.
 *
 *   limits:
 *     - { kind: grpo, account: nlp, at_most: 1 }
 *     - { kind: sft, at_most: 2 }
 */
import * as z from 'zod';
import { cut } from '../domain/errors.ts';
import { jobKinds } from '../domain/names.ts';
import { oneSlurmName } from '../domain/recipe/fields.ts';
import type { Limit } from '../domain/keeping/turns.ts';
import { schemaFault } from './input-fault.ts';
import { readYamlFile } from './yaml-file.ts';

const schema = z.strictObject({
  limits: z
    .array(
      z.strictObject({
        kind: z.enum(jobKinds),
        account: oneSlurmName.exactOptional(),
        at_most: z.int('expected a whole number, at least 1').min(1).max(1000),
      }),
    )
    .max(100),
});

/** Throws an InputFault that names the file and each fault in it. */
export async function readLimits(path: string): Promise<Limit[]> {
  const value = await readYamlFile(path, { what: 'limits file', holds: 'limits' });
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data.limits;
  throw schemaFault(`limits file "${cut(path)}"`, parsed.error);
}
