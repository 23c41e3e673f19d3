/**
 * Pairs of a folder without a table: `edited/NAME.png` was made from `source/NAME.*`, and `edited/NAME.txt` says what was asked for. It only lists and reads. An
 * edit without a source or an instruction stays as a row with its fault.
 */
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { shown } from '../../domain/errors.ts';
import { FileFault, readRegularText } from '../../files/regular-file.ts';
import { refuse } from '../failure.ts';
import { hasCode } from '../store/durable-file.ts';
import { fieldSchemas, type NamedRow } from './named-pair.ts';

const pictures = ['.png', '.jpg', '.jpeg', '.webp'];
/** An instruction has at most 2,000 characters. */
const maxInstructionBytes = 64 * 1024;

/** `instruction`: of edits without a text of their own. */
export async function folderPairs(folder: string, instruction: string | undefined): Promise<NamedRow[]> {
  const sources = await listed(folder, 'source');
  const edits = await listed(folder, 'edited');
  const names = new Set(edits);
  const byStem = new Map(sources.filter(isPicture).map((name) => [stem(name), name]));
  const rows: NamedRow[] = [];
  for (const name of edits.filter(isPicture)) {
    const where = `edited/${name}`;
    const source = byStem.get(stem(name));
    const id = stem(name);
    const own = names.has(`${id}.txt`) ? await said(join(folder, 'edited', `${id}.txt`)) : instruction;
    const read = fieldSchemas.instruction.safeParse(own);
    const edited = join(folder, 'edited', name);
    if (source === undefined) {
      const fault = `expected a picture "source/${id}.*", got none`;
      rows.push({ where, id, fault, said: { edited, ...(read.success ? { instruction: read.data } : {}) } });
      continue;
    }
    const both = { source: join(folder, 'source', source), edited };
    if (read.success) rows.push({ where, pair: { id, ...both, instruction: read.data, opinions: {} } });
    else {
      const fault = `expected an instruction in "edited/${id}.txt", or one for all, got ${shown(own)}`;
      rows.push({ where, id, fault, said: both });
    }
  }
  return rows;
}

async function listed(folder: string, name: string): Promise<string[]> {
  try {
    return (await readdir(join(folder, name))).toSorted();
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    const expected = 'expected a folder with pairs.jsonl, pairs.csv or pairs.tsv, or with "source" and "edited"';
    throw refuse('DataInvalid', `pairs: ${expected}, got ${shown(folder)}, which has no "${name}"`);
  }
}

async function said(path: string): Promise<string | undefined> {
  try {
    return (await readRegularText(path, maxInstructionBytes)).trim();
  } catch (error) {
    // A link to nothing, or a file that the worker may not read, says nothing of this edit; the others go on.
    const isUnreadable = ['ENOENT', 'EACCES', 'ELOOP'].some((code) => hasCode(error, code));
    if (error instanceof FileFault || isUnreadable) return undefined;
    throw error;
  }
}

function isPicture(name: string): boolean {
  return pictures.includes(extname(name).toLowerCase());
}

function stem(name: string): string {
  return name.slice(0, name.length - extname(name).length);
}
