/**
 * Repetition: how much critiques repeat each other, as whole texts (MinHash) or in how they open. A critic that learns from
 * templates writes templates. Pure; the caller decides what follows.
 */
import { textHash } from '../evaluation/seeded-random.ts';

const positions = 64;
const bandRows = 4;

/** A MinHash signature over word 3-shingles: 64 numbers. Equal share of equal positions ≈ Jaccard similarity. */
export function signature(text: string): number[] {
  const words = wordsOf(text);
  const shingles = new Set(words.map((_, i) => words.slice(i, i + 3).join(' ')));
  const lowest = Array.from({ length: positions }, () => 0xffffffff);
  for (const shingle of shingles) {
    const hash = textHash(shingle);
    for (let i = 0; i < lowest.length; i += 1) {
      lowest[i] = Math.min(lowest[i] ?? 0xffffffff, scrambled(hash ^ Math.imul(i + 1, 0x9e3779b1)));
    }
  }
  return lowest;
}

/** Estimated Jaccard similarity of two texts by their signatures, 0 to 1. */
export function similarity(a: readonly number[], b: readonly number[]): number {
  return a.filter((value, i) => value === b[i]).length / a.length;
}

/**
 * Signatures of texts that do not repeat an earlier one. Candidates come from 16 bands of 4 rows, so the work grows with the
 * number of look-alikes and not with the square of the texts. A pair of similarity s is found with probability
 * 1 − (1 − s⁴)¹⁶ (Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of massive datasets", §3.4): 0.999 at 0.8, 0.99 at 0.7,
 * only 0.64 at 0.5. A threshold below 0.7 misses some.
 */
export class SignatureIndex {
  readonly #threshold: number;
  readonly #bands = new Map<string, (readonly number[])[]>();

  /** `threshold`: similarity, 0 to 1, from which a text repeats another. */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Adds a signature and returns true. If it nearly repeats an earlier one, it is not added and the result is false. */
  add(own: readonly number[]): boolean {
    const keys = Array.from(
      { length: positions / bandRows },
      (_, band) => `${band}:${own.slice(band * bandRows, (band + 1) * bandRows).join()}`,
    );
    const candidates = new Set(keys.flatMap((key) => this.#bands.get(key) ?? []));
    if ([...candidates].some((other) => similarity(other, own) >= this.#threshold)) return false;
    for (const key of keys) this.#bands.set(key, [...(this.#bands.get(key) ?? []), own]);
    return true;
  }
}

/** Ids of texts that nearly repeat an earlier one (similarity ≥ threshold), in the given order. */
export function nearDuplicates(texts: readonly { id: string; text: string }[], threshold: number): string[] {
  const index = new SignatureIndex(threshold);
  return texts.flatMap(({ id, text }) => (index.add(signature(text)) ? [] : [id]));
}

export interface Opening {
  /** The words, in lower case, with blanks between. */
  words: string;
  /** How many texts open with them, and their share, 0 to 1. */
  count: number;
  share: number;
}

/**
 * The opening of five words that most texts share; of several such openings the first. Undefined without texts. Texts can share
 * a skeleton and still be no near-duplicates: 4 of the 49 published critiques open with "the edited image demonstrates a".
 */
export function commonestOpening(texts: readonly string[]): Opening | undefined {
  const counts = new Map<string, number>();
  for (const text of texts) {
    const words = wordsOf(text).slice(0, 5).join(' ');
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  const [first] = [...counts].toSorted(([, a], [, b]) => b - a);
  return first && { words: first[0], count: first[1], share: first[1] / texts.length };
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z']+/g) ?? [];
}

/** murmur3's final mix (Austin Appleby, public domain): it makes 64 orders out of one hash, each with its own key. */
function scrambled(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
