/** Fixtures in the hub's parquet form: rows with their images inside, in files named by split. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { png, temporaryFolder } from '../fixtures.ts';

/** One row as the hub has it. */
export interface HubRow {
  images: { bytes: Uint8Array | null; path: string | null }[] | null;
  edit_inst: string | null;
  answer: number | null;
}

/** A row with two pictures called `name`. */
export const hubRow = (name: string | null, answer: number, change: Partial<HubRow> = {}): HubRow => ({
  images: [
    { bytes: png(8, 8), path: name },
    { bytes: png(9, 8), path: name },
  ],
  edit_inst: 'make it blue',
  answer,
  ...change,
});

/** As the hub's `datasets` writes it: a list of structs, images inside. */
function writeHubFile(filename: string, rows: readonly HubRow[], rowGroupSize = 2): void {
  parquetWriteFile({
    filename,
    rowGroupSize,
    schema: [
      { name: 'root', num_children: 4 },
      { name: 'images', num_children: 1, converted_type: 'LIST', repetition_type: 'OPTIONAL' },
      { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
      { name: 'element', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'problem', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'answer', type: 'FLOAT', repetition_type: 'OPTIONAL' },
      { name: 'edit_inst', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ],
    columnData: [
      { name: 'images', data: rows.map(({ images }) => images) },
      { name: 'problem', data: rows.map(() => '<image><image> rate it') },
      { name: 'answer', data: rows.map(({ answer }) => answer) },
      { name: 'edit_inst', data: rows.map(({ edit_inst: instruction }) => instruction) },
    ],
  });
}

/** A folder with both splits, as a download of the hub's repository is. */
export async function writeHub(rows: { train: HubRow[]; test: HubRow[] }): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'data'));
  writeHubFile(join(folder, 'data/train-00000-of-00001.parquet'), rows.train);
  writeHubFile(join(folder, 'data/test-00000-of-00001.parquet'), rows.test);
  return folder;
}
