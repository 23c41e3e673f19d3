/**
 * Score: reading a critic's answer. The rules are the published reward's (Coobiw/IE-Critic-R1 @357c239,
 * examples/score_function/ie_critic_r1.py), so that what is rewarded is what is evaluated.
 */

/**
 * White space: the 29 characters that Python's `str.strip` and `re`'s `\s` take, since the published reward is in Python.
 * JavaScript's set lacks U+001C to U+001F and U+0085 and has U+FEFF, so `trim` and `\s` are not used here. The trainer
 * (`critic_trainer/reward.py`) spells out the same set.
 */
export const whiteSpace =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';
const form = new RegExp(`^<think>.*?</think>[${whiteSpace}]*<answer>.*?</answer>$`, 's');

const scoreRange = { min: 1, max: 5 } as const;

export type UnreadableReason = 'no-number' | 'not-finite' | 'out-of-range';

export type Answer =
  | { kind: 'scored'; score: number; think: string }
  | { kind: 'unreadable'; reason: UnreadableReason };

/**
 * The score of an answer: the first `<answer>…</answer>` on one line, else the whole text, read as one number in [1, 5].
 * `think` is the text before the first `</think>`, without white space around it and without the opening tag, which may have
 * been a prefill. It is '' if there is none. Only a line feed ends a line, as in Python's `re`.
 */
export function parseAnswer(text: string): Answer {
  const inside = /<answer>([^\n]*?)<\/answer>/.exec(text)?.[1] ?? text;
  const score = readNumber(inside);
  if (score === undefined) return { kind: 'unreadable', reason: 'no-number' };
  if (!Number.isFinite(score)) return { kind: 'unreadable', reason: 'not-finite' };
  if (score < scoreRange.min || score > scoreRange.max) return { kind: 'unreadable', reason: 'out-of-range' };
  return { kind: 'scored', score, think: trim(/^(?:.*?<think>)?(.*?)<\/think>/s.exec(text)?.[1] ?? '') };
}

/** The published format reward's question: is the whole text `<think>…</think>`, white space, `<answer>…</answer>`? */
export function hasFormat(text: string): boolean {
  return form.test(text);
}

/** What Python's float() reads, as far as models write it: decimal numbers, exponent, inf, nan, with white space around. */
function readNumber(text: string): number | undefined {
  const trimmed = trim(text);
  if (/^[+-]?(inf|infinity|nan)$/i.test(trimmed)) return Number.NaN;
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined;
}

/** `text` without white space at its ends. */
function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && whiteSpace.includes(text.charAt(start))) start += 1;
  while (start < end && whiteSpace.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
