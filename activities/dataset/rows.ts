/**
 * Dataset rows: the text of `pairs.jsonl` → checked pairs and every fault in them. Also the faults that only all rows together show, for rows
 * of any form. No I/O.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { cut, describeIssue, shown } from '../../domain/errors.ts';
import { type Pair, pairSchema } from '../../domain/manifest.ts';
import { parseJson } from '../../files/json.ts';

export const splits = ['train', 'dev', 'test'] as const;
export type Split = (typeof splits)[number];
/** IE-Bench has no `dev`, and training can do without validation. */
const neededSplits = ['train', 'test'] as const;

/** A pair and its place, e.g. `pairs.jsonl line 7`. */
export interface PairLine {
  where: string;
  pair: Pair;
}

/** How a form calls the fields that faults of several rows are about. */
export interface FieldNames {
  id: string;
  split: string;
  source_image: string;
  edited_image: string;
}

export interface ReadRows {
  pairs: PairLine[];
  /** One sentence for each: row, field, what was expected, what was found. */
  faults: string[];
}

/** Bytes of an image file, or a fragment on why there are none: `expected …, got …`. */
export type ImageBytes = { bytes: Buffer } | { fault: string };
/** Called once for each image. `path` is the path in the pair. `total` is the number of images. */
export type OnImage = (path: string, image: ImageBytes, total: number) => Promise<void>;

/** A dataset in some form, read as pairs of ours and the bytes of their images. */
export interface DatasetSource {
  readonly fields: FieldNames;
  /** Reads all rows and images once. The same folder gives the same pairs in the same order. */
  scan(onImage: OnImage): Promise<ReadRows>;
  /** `pairs.jsonl` as it is published: the operator's own file unchanged, or one that is written from the pairs. */
  pairsText(pairs: readonly PairLine[]): Promise<string>;
}

export const pairsName = 'pairs.jsonl';
export const pairsFields: FieldNames = {
  id: 'id',
  split: 'split',
  source_image: 'source_image',
  edited_image: 'edited_image',
};

/** Lines between two turns of the event loop. They take some twenty milliseconds to parse and check. */
const linesATurn = 1000;

/** The readable pairs of our own form, and a fault for each thing that is wrong with a line by itself. */
export function readPairs(text: string): Promise<ReadRows> {
  return readLines(text, pairsName, (line) => {
    const read = parseLine(line);
    return 'value' in read ? checkPair(read.value) : { faults: [read.fault] };
  });
}

/** Checks each line that is not blank. A million lines take many seconds: heartbeats and other activities get their turns. */
export async function readLines(
  text: string,
  file: string,
  check: (line: string) => ReturnType<typeof checkPair>,
): Promise<ReadRows> {
  const pairs: PairLine[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (index % linesATurn === linesATurn - 1) await nextTurn();
    if (line.trim() === '') continue;
    const where = `${file} line ${index + 1}`;
    const checked = check(line);
    if ('pair' in checked) pairs.push({ where, pair: checked.pair });
    else faults.push(...checked.faults.map((fault) => `${where}${fault}`));
  }
  return { pairs, faults };
}

/** Pairs as the text of a `pairs.jsonl`. */
export function writtenPairs(pairs: readonly PairLine[]): string {
  return pairs.map(({ pair }) => `${JSON.stringify(pair)}\n`).join('');
}

/** Prefix of a fault's sentence. */
export function at(where: string, field: string): string {
  return `${where}, ${field}: `;
}

/**
 * A value as a pair, or its faults as `, field: expected …, got …`. `names` says what the form calls a field of ours
 * (`mos.overall` → `label`).
 */
export function checkPair(
  value: unknown,
  names: Readonly<Record<string, string>> = {},
): { pair: Pair } | { faults: string[] } {
  const result = pairSchema.safeParse(value, { reportInput: true });
  if (result.success) return { pair: result.data };
  return {
    faults: result.error.issues.map((issue) => {
      const path = issue.path.join('.');
      const field = path === '' ? '' : `, ${names[path] ?? path}`;
      return `${field}: ${describeIssue({ message: issue.message, input: issue.input })}`;
    }),
  };
}

function parseLine(line: string): { value: unknown } | { fault: string } {
  const value = parseJson(line);
  return value === undefined ? { fault: `: expected a JSON object, got ${cut(line)}` } : { value };
}

/** Faults that no single row shows: repeated ids, needed splits without rows. */
export function findSetFaults(pairs: readonly PairLine[], names: FieldNames): string[] {
  const faults: string[] = [];
  const ids = new Map<string, string>();
  for (const { where, pair } of pairs) {
    const first = ids.get(pair.id);
    if (first === undefined) ids.set(pair.id, where);
    else faults.push(`${at(where, names.id)}expected one of its own, got "${pair.id}", which ${first} has`);
  }
  for (const split of neededSplits) {
    if (!pairs.some(({ pair }) => pair.split === split)) faults.push(`expected rows in split "${split}", got none`);
  }
  return faults;
}

/** One sentence for each source whose rows are in more than one split, at the first row that shows it. */
export function findSharedSources(pairs: readonly PairLine[], names: FieldNames): string[] {
  const sources = new Map<string, PairLine>();
  const shared = new Map<string, string>();
  for (const line of pairs) {
    const { source_id: source, split } = line.pair;
    const first = sources.get(source);
    if (first === undefined) {
      sources.set(source, line);
    } else if (first.pair.split !== split && !shared.has(source)) {
      shared.set(
        source,
        `${at(line.where, names.split)}expected "${first.pair.split}", got "${split}": source ${shown(source)} is in ` +
          `"${first.pair.split}" at ${first.where}, and a source belongs to one split (unless recipe.dataset.shared_sources is report)`,
      );
    }
  }
  return [...shared.values()];
}
