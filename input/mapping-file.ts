/**
 * Mapping files: YAML → how a dataset of another origin calls its columns, and on what scale its people judged.
 *
 *   table: labels.csv
 *   columns: { source: before, edited: after, instruction: prompt, mos: score }
 *   scale: { from: 0, to: 100 }
 *   direction: higher-is-better
 */
import * as z from 'zod';
import { cut } from '../domain/errors.ts';
import { pairFields, type PairMapping } from '../domain/scoring/mapping.ts';
import { schemaFault } from './input-fault.ts';
import { readYamlFile } from './yaml-file.ts';

const column = z.string().min(1).max(200);
const below = z
  .string()
  .min(1)
  .max(1000)
  .refine(
    (path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'),
    'expected a path below the dataset’s folder, without ".."',
  );

export const mappingFileSchema = z.strictObject({
  table: below
    .exactOptional()
    .describe('The table, below the dataset’s folder: .csv, .tsv or .jsonl; optional, else pairs.jsonl, .csv or .tsv.'),
  images: below
    .exactOptional()
    .describe('The folder from which paths of pictures go out, below the dataset’s; optional, else that of the table.'),
  columns: z
    .partialRecord(z.enum(pairFields), column)
    .default({})
    .describe(
      'Columns by our names (id, source, edited, instruction, mos, …); dots reach into JSON; default our names.',
    ),
  scale: z
    .strictObject({
      from: z.number().describe('The lowest opinion that people could give; required.'),
      to: z.number().describe('The highest; required.'),
    })
    .refine(({ from, to }) => from < to, 'expected from below to')
    .default({ from: 1, to: 5 })
    .describe('The scale on which people judged, of all columns of opinions; default 1 to 5.'),
  direction: z
    .enum(['higher-is-better', 'lower-is-better'])
    .default('higher-is-better')
    .describe('Which end of the scale is the better picture; default higher-is-better.'),
  only: z
    .strictObject({
      column: column.describe('Its name; required.'),
      value: z.string().max(200).describe('Its value, as a text; required.'),
    })
    .exactOptional()
    .describe('Only rows in which a column has this value, such as split test; optional, else all.'),
});

/** Throws an InputFault that names the file and each fault in it. */
export async function readMapping(path: string): Promise<PairMapping> {
  const value = await readYamlFile(path, { what: 'mapping file', holds: 'columns, scale, direction' });
  const { data, error } = mappingFileSchema.safeParse(value, { reportInput: true });
  if (data !== undefined) return data;
  throw schemaFault(`mapping file "${cut(path)}"`, error, 'mapping');
}
