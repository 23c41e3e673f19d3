/** `dataset` of a recipe: where it is and how to read it. A bare string is its path. */
import * as z from 'zod';
import { somePath } from './fields.ts';

export const dataset = z
  .preprocess(
    (value) => (typeof value === 'string' ? { path: value } : value),
    z.strictObject({
      path: somePath.describe('Folder of the dataset. A path, relative to the recipe; required.'),
      form: z
        .enum(['auto', 'pairs', 'text', 'parquet'])
        .default('auto')
        .describe(
          'How the dataset is written: pairs (our pairs.jsonl), text or parquet (IE-Bench); auto looks which is there; default auto.',
        ),
      shared_sources: z
        .enum(['refuse', 'report'])
        .default('refuse')
        .describe(
          'A source image that is in two splits: refuse makes it a fault, report only counts it; default refuse.',
        ),
      dev_fraction: z
        .number()
        .positive()
        .max(0.5)
        .optional()
        .describe(
          'Share of the sources that are in train alone whose rows become the dev split of a dataset without one. Fraction, above 0, at most 0.5; optional.',
        ),
    }),
  )
  .describe('The dataset: a folder, or its path with how to read it; required.');
export type DatasetSettings = z.output<typeof dataset>;
