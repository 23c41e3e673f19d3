/**
 * Rows of a scoring: what a person named → pairs with the paths of their pictures, or why a row is none. Nothing is dropped: a row that cannot be read stays, with
 * its fault and what could be read of it. It only reads. Paths are the person's own, and are opened by whoever looks at the pictures.
 */
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import * as z from 'zod';
import { cut, shown } from '../../domain/errors.ts';
import { columnsOf, onOurScale, opinionFields, type PairMapping, plainMapping } from '../../domain/scoring/mapping.ts';
import { mostPairs, type ScoringOrder } from '../../domain/scoring/scoring.ts';
import { schemaFault } from '../../input/input-fault.ts';
import { mappingFileSchema } from '../../input/mapping-file.ts';
import { parseJson } from '../../files/json.ts';
import { FileFault, readRegularText } from '../../files/regular-file.ts';
import { maxTextBytes } from '../dataset/source.ts';
import { refuse } from '../failure.ts';
import { hasCode } from '../store/durable-file.ts';
import { folderPairs } from './folder-pairs.ts';
import { type FaultyRow, fieldSchemas, type NamedPair, type NamedRow } from './named-pair.ts';
import { tableOf, whyUnreachable } from './reachable.ts';

/** All rows, in their order. Refuses (`DataInvalid`) a file or folder that holds none, is no such file, or is too large. */
export async function namedRows({ pairs, purpose, ...order }: ScoringOrder): Promise<NamedRow[]> {
  const mapping = order.mapping === undefined ? plainMapping : checkedMapping(order.mapping);
  const rows = await readSource(pairs, mapping);
  if (rows.length === 0) throw refuse('DataInvalid', `pairs: expected at least one, got none`);
  if (rows.length > mostPairs) throw refuse('DataInvalid', `pairs: expected at most ${mostPairs}, got ${rows.length}`);
  if (purpose === 'score') return rows;
  return rows.map((row) => {
    if (!('pair' in row) || row.pair.opinions.mos !== undefined) return row;
    const field = columnsOf(mapping, 'mos').join(' or ');
    const { id, ...said } = row.pair;
    return { where: row.where, id, fault: `${field}: expected people's opinion, got nothing`, said };
  });
}

/** An order may come from another client than our CLI, so what it names stays below the dataset's folder here too. */
function checkedMapping(mapping: unknown): PairMapping {
  const { data, error } = mappingFileSchema.safeParse(mapping, { reportInput: true });
  if (data !== undefined) return data;
  throw refuse('ConfigInvalid', schemaFault('the order', error, 'mapping').message);
}

async function readSource(pairs: ScoringOrder['pairs'], mapping: PairMapping): Promise<NamedRow[]> {
  switch (pairs.kind) {
    case 'pair': {
      const { source, edited, instruction } = pairs;
      return [{ where: 'the pair', pair: { id: '1', source, edited, instruction, opinions: {} } }];
    }
    case 'table':
      return readTable(pairs.path, join(dirname(pairs.path), mapping.images ?? '.'), mapping);
    case 'folder': {
      const table = mapping.table ?? (await tableIn(pairs.path));
      if (table === undefined) return folderPairs(pairs.path, pairs.instruction);
      const images = mapping.images === undefined ? dirname(join(pairs.path, table)) : join(pairs.path, mapping.images);
      return readTable(join(pairs.path, table), images, mapping);
    }
  }
}

async function tableIn(folder: string): Promise<string | undefined> {
  try {
    return await tableOf(folder);
  } catch (error) {
    const why = hasCode(error, 'ENOTDIR') ? 'which is no folder' : whyUnreachable(error);
    if (why === undefined) throw error;
    throw refuse('DataInvalid', `pairs: expected a folder that the worker can read, got ${shown(folder)}, ${why}`);
  }
}

/** Rows of a table. `images`: the folder from which relative paths go out. */
async function readTable(path: string, images: string, mapping: PairMapping): Promise<NamedRow[]> {
  const content = await textOf(path);
  const records = extname(path).toLowerCase() === '.jsonl' ? jsonLines(content) : separated(path, content);
  const only = mapping.only;
  return records
    .filter(({ value }) => only === undefined || valueAt(value, [only.column]) === only.value)
    .map(({ line, value, fault }) => {
      const where = `line ${line}`;
      const read = pairOf(value, String(line), images, mapping);
      if (fault === undefined) return { where, ...read };
      // Columns may have slipped: what is text can be looked at, a number could be another column's.
      const { id, opinions: _opinions, ...said } = 'pair' in read ? read.pair : { id: read.id, ...read.said };
      return { where, id, fault, said };
    });
}

async function textOf(path: string): Promise<string> {
  try {
    return await readRegularText(path, maxTextBytes);
  } catch (error) {
    if (error instanceof FileFault) throw refuse('DataInvalid', `pairs: ${error.message}`);
    const why = whyUnreachable(error);
    if (why === undefined) throw error;
    throw refuse('DataInvalid', `pairs: expected a file that the worker can read, got ${shown(path)}, ${why}`);
  }
}

/** A row's value by its line, or why it has none. */
interface Line {
  line: number;
  value: unknown;
  fault?: string;
}

function jsonLines(content: string): Line[] {
  return content.split('\n').flatMap((one, index): Line[] => {
    if (one.trim() === '') return [];
    const value = parseJson(one);
    const line = index + 1;
    const fault = `expected a JSON object, got ${cut(one, 80)}`;
    return [typeof value === 'object' && value !== null ? { line, value } : { line, value: {}, fault }];
  });
}

/** CSV by RFC 4180; TSV by the file's name. The first line names the columns. */
function separated(path: string, content: string): Line[] {
  const delimiter = extname(path).toLowerCase() === '.tsv' ? '\t' : ',';
  let names: string[] | undefined;
  const rows: Line[] = [];
  try {
    const options = { delimiter, bom: true, relax_column_count: true, skip_empty_lines: true, info: true } as const;
    for (const { record, info } of z.array(parsedRow).parse(parse(content, options))) {
      const own = (names ??= record);
      if (own === record) continue;
      const line = info.lines;
      const fault = `expected ${own.length} columns, as the first line has, got ${record.length}`;
      const value = Object.fromEntries(own.map((name, index) => [name.trim(), record[index] ?? '']));
      rows.push(record.length === own.length ? { line, value } : { line, value, fault });
    }
  } catch (error) {
    // csv-parse: a quote that never closes, or one within a bare field. What follows it cannot be told from it.
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_'))) throw error;
    throw refuse('DataInvalid', `pairs: expected ${shown(path)} to be a table, got one that is not: ${error.message}`);
  }
  return rows;
}

const parsedRow = z.object({ record: z.array(z.string()), info: z.object({ lines: z.int() }) });

function pairOf(value: unknown, line: string, images: string, mapping: PairMapping): { pair: NamedPair } | FaultyRow {
  const faults: string[] = [];
  const take = (field: keyof typeof fieldSchemas, otherwise?: string): string => {
    const names = columnsOf(mapping, field);
    const found = asText(valueAt(value, names)) ?? otherwise;
    const read = fieldSchemas[field].safeParse(found);
    if (read.success) return read.data;
    const expected = read.error.issues[0]?.code === 'custom' ? read.error.issues[0].message : 'expected a text';
    faults.push(`${names.join(' or ')}: ${expected}, got ${shown(found)}`);
    return '';
  };
  const id = take('id', line);
  const place = (path: string) => (path === '' || isAbsolute(path) ? path : resolve(images, path));
  const [source, edited, instruction] = [place(take('source')), place(take('edited')), take('instruction')];
  const optional = (field: 'method' | 'source_id') =>
    asText(valueAt(value, columnsOf(mapping, field))) === undefined ? {} : { [field]: take(field) };
  const named = { ...optional('method'), ...optional('source_id') };
  const opinions = opinionsOf(value, mapping, faults);
  const pair: NamedPair = { id, source, edited, instruction, opinions, ...named };
  if (faults.length === 0) return { pair };
  const { id: _id, ...said } = pair;
  // A field with a fault was read as ''.
  const read = Object.fromEntries(Object.entries(said).filter(([, one]) => one !== ''));
  return { id: id === '' ? line : id, fault: faults.join('; '), said: read };
}

function opinionsOf(value: unknown, mapping: PairMapping, faults: string[]): NamedPair['opinions'] {
  const found: NamedPair['opinions'] = {};
  for (const field of opinionFields) {
    const names = columnsOf(mapping, field);
    const said = asText(valueAt(value, names));
    if (said === undefined || said.trim() === '') continue;
    const ours = onOurScale(Number(said), mapping);
    if (typeof ours === 'number') found[field] = ours;
    else faults.push(`${names.join(' or ')}: ${ours.fault}, got ${shown(said)}`);
  }
  return found;
}

/** The first of these names that the row has: a key as it is, or a path with dots into what the row holds. */
function valueAt(value: unknown, names: readonly string[]): unknown {
  for (const name of names) {
    const found = ownValue(value, name) ?? name.split('.').reduce(ownValue, value);
    if (found !== undefined && found !== '' && typeof found !== 'object') return found;
  }
  return undefined;
}

function ownValue(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}
