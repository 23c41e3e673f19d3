/**
 * Critique filter: may a critic learn from this critique of the teacher's? Pure; the caller counts the reasons. A tone that
 * contradicts the score is reported and not rejected: people and teachers differ.
 */
import type { Critique } from './prompt.ts';

export type RejectReason =
  | 'refusal'
  | 'empty-part'
  | 'wrong-order'
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
/** Each of these quotes a number or a rating. "Score" by itself is a word of critics: eight of 49 published critiques use it. */
const quotesScore = [
  // Numbers. "2D", "3-D" and "1920s" do not count.
  /(?<![\w.])\d+(\.\d+)?(?!\w|-[A-Za-z])/,
  /\bout of (five|ten)\b/i,
  /\b(provided|given|assigned|human|mean) (scores?|ratings?)\b/i,
  /\b(reflected|indicated|shown|suggested) (in|by) the (\w+ )?(scores?|ratings?)\b/i,
  /\b(scores?|ratings?) (provided|given|assigned|of (one|two|three|four|five))\b/i,
  /\b(mean opinion|human raters?|the raters|MOS)\b/,
];
/**
 * The aspect that a text opens by naming: "In terms of fidelity, …", "The perceptual quality of …", "**Quality**: …". 43 of the
 * 49 published critiques name fidelity at the head of its paragraph, and 48 name quality. None names them in another order.
 */
const openingAspect =
  /^\W*(?:(?:in terms of|regarding|concerning|as (?:for|to)|with (?:respect|regard) to|when it comes to|when evaluating|from an?)\W+)?(?:(?:the|overall|perceptual|visual|image|text|textual)\W+)*(alignment|fidelity|quality)\b/i;
/** The commonest English function words. They are 33 to 41 % of the words of 49 published critiques, and under 14 % in French, German or Spanish. */
const functionWords = new Set(
  'a an and are as at be been but by for from has have in is it its not of on or that the their this to was were which while with'.split(
    ' ',
  ),
);
const minFunctionWordShare = 0.15;
const praise = /\b(excellent|perfect\w*|flawless\w*|outstanding|great|good|clean|sharp|faithful\w*|seamless\w*)\b/gi;
const blame = /\b(bad\w*|poor\w*|fail\w*|wrong\w*|ignored?|blurr\w*|nois\w*|broken|distort\w*|artifacts?|lack\w*)\b/gi;

/**
 * Judges one critique by itself, given the overall MOS in [1, 5]. Returns the first reason found. `wrong-order`: one of the first
 * three parts opens by naming another aspect, so the texts are not in the order that their keys promise. (The order of the keys
 * is checked where an answer is read.) The overall part may open with any aspect. The limits count words of the whole critique
 * and include both ends.
 */
export function judgeCritique(critique: Critique, mos: number, limits: FilterLimits): FilterVerdict {
  const parts = [critique.alignment, critique.fidelity, critique.quality, critique.overall];
  const text = parts.join(' ');
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (refusal.test(text)) return { accepted: false, reason: 'refusal' };
  if (parts.some((part) => part.trim() === '')) return { accepted: false, reason: 'empty-part' };
  if (!opensInOrder(critique)) return { accepted: false, reason: 'wrong-order' };
  if (words.length < limits.minWords) return { accepted: false, reason: 'too-short' };
  if (words.length > limits.maxWords) return { accepted: false, reason: 'too-long' };
  if (quotesScore.some((pattern) => pattern.test(text))) return { accepted: false, reason: 'quotes-score' };
  if (!isEnglish(text)) return { accepted: false, reason: 'not-english' };
  return { accepted: true, tone: tone(text, mos) };
}

/** The aspect, lower-case, that a text opens by naming; undefined if it opens otherwise. */
export function namedFirst(text: string): string | undefined {
  return openingAspect.exec(text)?.[1]?.toLowerCase();
}

function opensInOrder(critique: Critique): boolean {
  const aspects = ['alignment', 'fidelity', 'quality'] as const;
  return aspects.every((aspect) => (namedFirst(critique[aspect]) ?? aspect) === aspect);
}

function tone(text: string, mos: number): 'agrees' | 'contradicts' {
  const balance = (text.match(praise) ?? []).length - (text.match(blame) ?? []).length;
  return (mos >= 4 && balance < 0) || (mos <= 2 && balance > 0) ? 'contradicts' : 'agrees';
}

/** Mostly Latin letters, and enough English function words. French passes the first test only, a list of tags fails the second. */
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
