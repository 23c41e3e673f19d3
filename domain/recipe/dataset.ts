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
    }),
  )
  .describe('The dataset: a folder, or its path with how to read it; required.');
export type DatasetSettings = z.output<typeof dataset>;
