/** A pair of a scoring as a person named it, and what its fields may be. */
import * as z from 'zod';
import type { opinionFields, PairField } from '../../domain/scoring/mapping.ts';

/** A pair as it was named. */
export interface NamedPair {
  id: string;
  /** Absolute paths of the pictures. */
  source: string;
  edited: string;
  instruction: string;
  /** People's opinions from 1 to 5. */
  opinions: Partial<Record<(typeof opinionFields)[number], number>>;
  method?: string;
  source_id?: string;
}
/** A row that is no pair: why, and what of it could be read (`said`). */
export interface FaultyRow {
  id: string;
  fault: string;
  said?: Partial<Omit<NamedPair, 'id'>>;
}
export type NamedRow = { where: string } & ({ pair: NamedPair } | FaultyRow);

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'expected Unicode without a zero byte');
export const fieldSchemas = {
  id: text(200),
  source: text(4096),
  edited: text(4096),
  instruction: z
    .string()
    .max(2000)
    .refine((value) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(value), 'expected a text with something to see')
    .refine((value) => value.isWellFormed(), 'expected Unicode without half a pair of surrogates'),
  method: text(1024),
  source_id: text(1024),
} as const satisfies Partial<Record<PairField, z.ZodType>>;
