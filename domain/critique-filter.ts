/**
 * Critique filter: is a teacher's critique fit to be learnt from? Pure; reasons are counted by the caller. A tone that
 * contradicts the score is reported, not rejected: people and teachers differ.
 */
import type { Critique } from './prompt.ts';
import { textHash } from './seeded-random.ts';

export type RejectReason =
  | 'refusal'
  | 'empty-part'
  | 'too-short'
  | 'too-long'
  | 'quotes-score'
  | 'not-english'
  | 'near-duplicate';

export interface FilterLimits {
  minWords: number;
  maxWords: number;
}

export type FilterVerdict =
  | { accepted: true; tone: 'agrees' | 'contradicts' }
  | { accepted: false; reason: RejectReason };

const refusal = /\b(I(['’]m| am) (sorry|unable)|I can(no|['’])t (help|assist|see|view|evaluate)|as an AI)\b/i;
/** Any of these is a number or a rating quoted. "Score" alone is a word critics use: eight of 49 published ones do. */
const quotesScore = [
  // Numbers; "2D", "3-D" and "1920s" are none.
  /(?<![\w.])\d+(\.\d+)?(?!\w|-[A-Za-z])/,
  /\bout of (five|ten)\b/i,
  /\b(provided|given|assigned|human|mean|reflected in the) (scores?|ratings?)\b/i,
  /\b(scores?|ratings?) (provided|given|assigned|of (one|two|three|four|five))\b/i,
  /\b(mean opinion|human raters?|the raters|MOS)\b/,
];
/** The commonest English function words: 33 to 41 % of the words of 49 published critiques, under 14 % of French, German or Spanish. */
const functionWords = new Set(
  'a an and are as at be been but by for from has have in is it its not of on or that the their this to was were which while with'.split(
    ' ',
  ),
);
const minFunctionWordShare = 0.15;
const praise = /\b(excellent|perfect\w*|flawless\w*|outstanding|great|good|clean|sharp|faithful\w*|seamless\w*)\b/gi;
const blame = /\b(bad\w*|poor\w*|fail\w*|wrong\w*|ignored?|blurr\w*|nois\w*|broken|distort\w*|artifacts?|lack\w*)\b/gi;

/**
 * Judges one critique by itself, given the overall MOS in [1, 5]. The first reason found is the one given. The order of the
 * parts is the teacher's JSON keys', so that only a missing one (`empty-part`) can be wrong about it. Limits count words of
 * the whole critique, both ends included.
 */
export function judgeCritique(critique: Critique, mos: number, limits: FilterLimits): FilterVerdict {
  const parts = [critique.alignment, critique.fidelity, critique.quality, critique.overall];
  const text = parts.join(' ');
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (refusal.test(text)) return { accepted: false, reason: 'refusal' };
  if (parts.some((part) => part.trim() === '')) return { accepted: false, reason: 'empty-part' };
  if (words.length < limits.minWords) return { accepted: false, reason: 'too-short' };
  if (words.length > limits.maxWords) return { accepted: false, reason: 'too-long' };
  if (quotesScore.some((pattern) => pattern.test(text))) return { accepted: false, reason: 'quotes-score' };
  if (!isEnglish(text)) return { accepted: false, reason: 'not-english' };
  return { accepted: true, tone: tone(text, mos) };
}

/** A MinHash signature over word 3-shingles: 64 numbers. Equal share of equal positions ≈ Jaccard similarity. */
export function signature(text: string): number[] {
  const words = text.toLowerCase().match(/[a-z']+/g) ?? [];
  const shingles = new Set(words.map((_, i) => words.slice(i, i + 3).join(' ')));
  const lowest = Array.from({ length: 64 }, () => 0xffffffff);
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
 * Ids of critiques that nearly repeat an earlier one (similarity ≥ threshold), in the given order. Candidates come from
 * bands of 4 rows, so that the work grows with the number of look-alikes and not with the square of the texts. A pair of
 * similarity s is found with probability 1 − (1 − s⁴)¹⁶ (Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of massive
 * datasets", §3.4): 0.999 at 0.8, 0.99 at 0.7, only 0.64 at 0.5. Thresholds below 0.7 miss some.
 */
export function nearDuplicates(texts: readonly { id: string; text: string }[], threshold: number): string[] {
  const bands = new Map<string, number[]>();
  const signatures: number[][] = [];
  const duplicates: string[] = [];
  for (const { id, text } of texts) {
    const own = signature(text);
    const keys = Array.from({ length: 16 }, (_, band) => `${band}:${own.slice(band * 4, band * 4 + 4).join()}`);
    const candidates = new Set(keys.flatMap((key) => bands.get(key) ?? []));
    if ([...candidates].some((index) => similarity(signatures[index] ?? [], own) >= threshold)) {
      duplicates.push(id);
      continue;
    }
    signatures.push(own);
    for (const key of keys) bands.set(key, [...(bands.get(key) ?? []), signatures.length - 1]);
  }
  return duplicates;
}

function tone(text: string, mos: number): 'agrees' | 'contradicts' {
  const balance = (text.match(praise) ?? []).length - (text.match(blame) ?? []).length;
  return (mos >= 4 && balance < 0) || (mos <= 2 && balance > 0) ? 'contradicts' : 'agrees';
}

/** Mostly Latin letters, and enough English function words: French passes the first, a list of tags neither. */
function isEnglish(text: string): boolean {
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const common = words.filter((word) => functionWords.has(word)).length;
  return latinShare(text) >= 0.9 && common >= words.length * minFunctionWordShare;
}

function latinShare(text: string): number {
  const letters = text.match(/\p{L}/gu) ?? [];
  if (letters.length === 0) return 0;
  return letters.filter((letter) => /[A-Za-z]/.test(letter)).length / letters.length;
}

/** murmur3's final mix (Austin Appleby, public domain): 64 differently keyed orders out of one hash. */
function scrambled(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
