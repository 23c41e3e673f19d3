/**
 * Dataset rows: the text of `pairs.jsonl` → checked pairs and every fault in them. No I/O. Our own form only: the two
 * published forms of IE-Bench (issue 5) become readers beside `readPairs` that give the same `PairLine`s.
 */
import { type Pair, pairSchema } from '../domain/manifest.ts';

export const splits = ['train', 'dev', 'test'] as const;

/** A pair and the line it stands on, counted from 1. */
export interface PairLine {
  line: number;
  pair: Pair;
}

/** The readable pairs of the text, and a sentence for each fault: line, field, what was expected, what was found. */
export function readPairs(text: string): { pairs: PairLine[]; faults: string[] } {
  const pairs: PairLine[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const read = readPair(line);
    if ('pair' in read) pairs.push({ line: index + 1, pair: read.pair });
    else faults.push(...read.faults.map((fault) => `${at(index + 1)}${fault}`));
  }
  return { pairs, faults: [...faults, ...findSetFaults(pairs)] };
}

/** Prefix of a fault's sentence. */
export function at(line: number, field?: string): string {
  return `pairs.jsonl line ${line}${field === undefined ? '' : `, ${field}: `}`;
}

function readPair(line: string): { pair: Pair } | { faults: string[] } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { faults: [`: expected a JSON object, got ${shown(line)} (${error.message})`] };
  }
  const result = pairSchema.safeParse(value, { reportInput: true });
  if (result.success) return { pair: result.data };
  return {
    faults: result.error.issues.map((issue) => {
      const field = issue.path.length === 0 ? '' : `, ${issue.path.join('.')}`;
      const got = issue.input === undefined ? 'nothing' : shown(JSON.stringify(issue.input));
      return `${field}: ${issue.message.replace(/^(?:Invalid input|Too big|Too small): /, '')}, got ${got}`;
    }),
  };
}

/** What no single row can show: repeated ids, sources that leak between splits, empty splits. */
function findSetFaults(pairs: PairLine[]): string[] {
  const faults: string[] = [];
  const ids = new Map<string, number>();
  const sources = new Map<string, PairLine>();
  const leaking = new Set<string>();
  for (const { line, pair } of pairs) {
    const first = ids.get(pair.id);
    if (first === undefined) ids.set(pair.id, line);
    else faults.push(`${at(line, 'id')}expected an id of its own, got "${pair.id}", which line ${first} has`);
    const known = sources.get(pair.source_id);
    if (known === undefined) {
      sources.set(pair.source_id, { line, pair });
    } else if (known.pair.split !== pair.split && !leaking.has(pair.source_id)) {
      leaking.add(pair.source_id);
      faults.push(
        `${at(line, 'split')}expected "${known.pair.split}", got "${pair.split}": source_id "${pair.source_id}" is in ` +
          `"${known.pair.split}" on line ${known.line}, and a source belongs to one split`,
      );
    }
  }
  for (const split of splits) {
    if (!pairs.some(({ pair }) => pair.split === split))
      faults.push(`pairs.jsonl: expected rows in split "${split}", got none`);
  }
  return faults;
}

function shown(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}
