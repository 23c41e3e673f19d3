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

const refusal = /\b(I('m| am) (sorry|unable)|I can(no|')t (help|assist|see|view|evaluate)|as an AI)\b/i;
/** Numbers ("2D" is none), "out of five", and talk of ratings as something given. "Score" alone is a word critics use. */
const quotesScore =
  /(?<![\w.])\d+(\.\d+)?(?!\w)|\bout of (five|ten)\b|\b(provided|given|assigned|human|mean|reflected in the) (scores?|ratings?)\b|\b(scores?|ratings?) (provided|given|assigned|of (one|two|three|four|five))\b/i;
const praise = /\b(excellent|perfect\w*|flawless\w*|outstanding|great|good|clean|sharp|faithful\w*|seamless\w*)\b/gi;
const blame = /\b(bad\w*|poor\w*|fail\w*|wrong\w*|ignored?|blurr\w*|nois\w*|broken|distort\w*|artifacts?|lack\w*)\b/gi;

/** Judges one critique by itself. Parts are non-empty strings in the order alignment, fidelity, quality, overall. */
export function judgeCritique(critique: Critique, mos: number, limits: FilterLimits): FilterVerdict {
  const parts = [critique.alignment, critique.fidelity, critique.quality, critique.overall];
  const text = parts.join(' ');
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (refusal.test(text)) return { accepted: false, reason: 'refusal' };
  if (parts.some((part) => part.trim() === '')) return { accepted: false, reason: 'empty-part' };
  if (words.length < limits.minWords) return { accepted: false, reason: 'too-short' };
  if (words.length > limits.maxWords) return { accepted: false, reason: 'too-long' };
  if (quotesScore.test(text)) return { accepted: false, reason: 'quotes-score' };
  if (latinShare(text) < 0.9) return { accepted: false, reason: 'not-english' };
  return { accepted: true, tone: tone(text, mos) };
}

/** A MinHash signature over word 3-shingles: 64 numbers. Equal share of equal positions ≈ Jaccard similarity. */
export function signature(text: string): number[] {
  const words = text.toLowerCase().match(/[a-z']+/g) ?? [];
  const shingles = new Set(words.map((_, i) => words.slice(i, i + 3).join(' ')));
  const lowest = Array.from({ length: 64 }, () => 0xffffffff);
  for (const shingle of shingles) {
    for (let i = 0; i < lowest.length; i += 1) {
      lowest[i] = Math.min(lowest[i] ?? 0xffffffff, scrambled(textHash(shingle, i * 0x9e3779b1)));
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
 * bands of 4 rows, so that the work grows with the number of look-alikes and not with the square of the texts.
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

function latinShare(text: string): number {
  const letters = text.match(/\p{L}/gu) ?? [];
  if (letters.length === 0) return 0;
  return letters.filter((letter) => /[A-Za-z]/.test(letter)).length / letters.length;
}

/** FNV's low bits are weak under a changed seed; a final mix (murmur3's) spreads them. */
function scrambled(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
