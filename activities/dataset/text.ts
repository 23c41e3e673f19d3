/**
 * IE-Bench's text form: `train.txt`, `val.txt` (its test split) of lines
 * `basename|instruction|source caption|edited caption|…|label`, pictures below `src/` and `dst/` under the same basename.
 * Lines → checked pairs and every fault. No I/O. The captions are not used. The form has no sub-scores.
 */
import { extname } from 'node:path';
import { cut, shown } from '../../domain/errors.ts';
import { checkPair, type FieldNames, readLines, type ReadRows, type Split } from './rows.ts';

export const textFields: FieldNames = {
  id: 'basename',
  split: 'basename',
  source_image: 'basename',
  edited_image: 'basename',
};
/** Our fields → the form's, for faults. */
const columns = { id: 'basename', instruction: 'instruction', 'mos.overall': 'label' };
const minFields = 4;

/**
 * The parts of an IE-Bench file name, `{tag}_{method}_IEB_{source}_prompt{n}.{type}`, as the published training records have them
 * (Coobiw/LLaMA-Factory-20250504, data/): the editing method and the source picture. Undefined for another name.
 */
export function parseBasename(basename: string): { method: string; source: string } | undefined {
  const match = /^[A-Za-z0-9]+_([A-Za-z0-9-]+)_IEB_(\d+)_prompt\d+\.[a-z]+$/i.exec(basename);
  const [, method, source] = match ?? [];
  return method === undefined || source === undefined ? undefined : { method, source };
}

/** Name without its extension: the pair's id. */
export function stem(basename: string): string {
  return basename.slice(0, basename.length - extname(basename).length);
}

/** The readable pairs of one file. `file` is its name in faults. */
export function readTextRows(text: string, file: string, split: Split): Promise<ReadRows> {
  return readLines(text, file, (line) => readLine(line.trim(), split));
}

function readLine(line: string, split: Split): ReturnType<typeof checkPair> {
  const parts = line.split('|');
  if (parts.length < minFields) {
    return { faults: [`: expected "basename|instruction|captions …|label", got ${cut(line)}`] };
  }
  const [basename = '', instruction = '', label = ''] = [parts[0], parts[1], parts.at(-1)?.trim()];
  const known = parseBasename(basename);
  const checked = checkPair(
    {
      id: stem(basename),
      source_id: known?.source ?? basename,
      split,
      instruction,
      source_image: `images/src/${basename}`,
      edited_image: `images/edited/${basename}`,
      // A label that is no number is kept as it is, so that the fault shows it.
      mos: { overall: label === '' || Number.isNaN(Number(label)) ? label : Number(label) },
      method: known?.method ?? basename,
    },
    columns,
  );
  if (known !== undefined) return checked;
  const fault = `, basename: expected "tag_Method_IEB_00000_prompt1.png", got ${shown(basename)}`;
  return { faults: [fault, ...('pair' in checked ? [] : checked.faults)] };
}
